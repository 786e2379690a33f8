"""Variables, secrets and labels of a container against the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kamal_pyinfra.config.env import is_for_host
from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.gate import without_gate
from kamal_pyinfra.plan.given_options import given_names
from kamal_pyinfra.plan.observed import ImageDefaults, ObservedContainer
from kamal_pyinfra.plan.router_names import hiding_labels
from kamal_pyinfra.plan.secret_checks import clear_check
from kamal_pyinfra.plan.state import Options

OWN_VARIABLES = ("KAMAL_CONTAINER_NAME", "KAMAL_VERSION")
OWN_LABELS = (DIGEST_LABEL, OWNER_LABEL, ACCESSORY_LABEL, CLEAR_LABEL)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""What Docker gives every container by itself if its settings on the host name a proxy."""


def env_differences(env: tuple[tuple[str, str], ...], observed: ObservedContainer) -> Iterator[Difference]:
    """Clear variables that are missing or have another value."""
    for name, value in env:
        if is_for_host(value):
            continue  # the host's shell expanded it; only the digest can tell
        if name in observed.secret_checks:
            continue  # it is secret elsewhere, and compared as such
        if name not in observed.env:
            yield Difference(field=f"env {name}", before=NOT_SET, after=value)
        elif (seen := observed.env[name]) is None:
            # What the container does not call clear may have been a secret: only that it differs is shown.
            if observed.clear_checks.get(name, clear_check(name, value)) != clear_check(name, value):
                yield Difference(field=f"env {name}", after="changed")
        elif seen != value:
            yield Difference(field=f"env {name}", before=seen, after=value)


def surplus_env_differences(
    names: Iterable[str], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Variables that are there although nothing asks for them, also those that were secret once."""
    others = given_names(options, "env")
    if defaults is None or others is None:
        return
    wanted = {*names, *observed.secret_checks, *OWN_VARIABLES, *others}
    for name in sorted(observed.env.keys() - wanted - defaults.env):
        # Whether its value may be shown is no longer known: it may have been a secret.
        if name.upper() not in PROXY_VARIABLES:
            yield Difference(field=f"env {name}", after="removed")


def secret_differences(
    secrets: str | None, checks: Mapping[str, int], observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Secrets that the container does not have as they are now, by name; none if they are kept as they are."""
    if secrets is None or observed.secrets in (None, secrets):
        return
    seen = observed.secret_checks
    surplus = seen.keys() - checks.keys()
    changed = [name for name in checks if seen.get(name) != checks[name]]
    removed = sorted(surplus - defaults.env if defaults else surplus)
    for name in changed:
        yield Difference(field=f"secret {name}", after="changed" if name in seen else "added")
    for name in removed:
        yield Difference(field=f"secret {name}", after="removed")
    # With a variable of the image among them the digest of all says nothing; then the checks have to do.
    if not changed and not surplus:
        yield Difference(field="a secret", after="changed")


def label_differences(
    labels: tuple[tuple[str, str], ...], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Labels that are missing, have another value, or are there although nothing asks for them."""
    for name, value in labels:
        if observed.labels.get(name) != value:
            yield Difference(field=f"label {name}", before=observed.labels.get(name, NOT_SET), after=value)
    others = given_names(options, "label")
    if defaults is None or others is None:
        return
    wanted = {name for name, _ in labels}.union(OWN_LABELS, others)
    hiding = dict(hiding_labels(labels, options))
    for name in sorted(without_gate(observed.labels).keys() - wanted):
        if observed.labels[name] not in (defaults.labels.get(name), hiding.get(name)):
            yield Difference(field=f"label {name}", before=observed.labels[name] or '""', after=NOT_SET)
