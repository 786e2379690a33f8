"""The log driver of a container and its options against the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.given_options import are_given
from kamal_pyinfra.plan.observed import ObservedContainer
from kamal_pyinfra.plan.state import Options


def logging_differences(wanted: Options, options: Options, observed: ObservedContainer) -> Iterator[Difference]:
    """Another driver, and options of it that are missing, have another value, or are there unasked.

    Args:
        wanted: flags made from ``logging:``.
        options: the ``docker run`` options as written; where they speak of logging too, only the digest can tell.
        observed: the container.
    """
    if not observed.log_driver or are_given(options, "log-driver", "log-opt"):
        return
    drivers = [str(value) for flag, value in wanted if flag == "--log-driver"]
    if drivers and drivers[0] != observed.log_driver:
        yield Difference(field="log driver", before=observed.log_driver, after=drivers[0])
    given = dict(str(value).split("=", 1) for flag, value in wanted if flag == "--log-opt")
    for name in sorted(given.keys() | observed.log_options.keys()):
        before, after = observed.log_options.get(name, NOT_SET), given.get(name, NOT_SET)
        if before != after:
            yield Difference(field=f"log option {name}", before=before, after=after)
