"""Variables, secrets and labels of a container against the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kamal_pyinfra.naming import ACCESSORY_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.observed import ImageDefaults, ObservedContainer

OWN_VARIABLES = ("KAMAL_CONTAINER_NAME", "KAMAL_VERSION")
OWN_LABELS = (DIGEST_LABEL, OWNER_LABEL, ACCESSORY_LABEL)


def env_differences(
    env: tuple[tuple[str, str], ...],
    secret_names: tuple[str, ...],
    observed: ObservedContainer,
    defaults: ImageDefaults | None,
) -> Iterator[Difference]:
    """Clear variables that are missing, have another value, or are there although nothing asks for them."""
    for name, value in env:
        if "${" in value:
            continue  # the host's shell expanded it; only the digest can tell
        if name in observed.secret_checks:
            continue  # it is secret elsewhere, and compared as such
        if name not in observed.env:
            yield Difference(field=f"env {name}", before=NOT_SET, after=value)
        elif (seen := observed.env[name]) is not None and seen != value:
            yield Difference(field=f"env {name}", before=seen, after=value)
    wanted = {name for name, _ in env}.union(secret_names, observed.secret_checks, OWN_VARIABLES)
    for name in sorted(observed.env.keys() - wanted - defaults.env) if defaults else ():
        # Whether its value may be shown is no longer known: it may have been a secret.
        yield Difference(field=f"env {name}", after="removed")


def secret_differences(
    secrets: str | None, checks: Mapping[str, int], observed: ObservedContainer
) -> Iterator[Difference]:
    """Secrets that the container does not have as they are now, by name; none if they are kept as they are."""
    if secrets is None or observed.secrets in (None, secrets):
        return
    seen = observed.secret_checks
    changed = [name for name in checks if seen.get(name) != checks[name]]
    for name in changed:
        yield Difference(field=f"secret {name}", after="changed" if name in seen else "added")
    for name in sorted(seen.keys() - checks.keys()):
        yield Difference(field=f"secret {name}", after="removed")
    if not changed and seen.keys() <= checks.keys():
        yield Difference(field="a secret", after="changed")


def label_differences(
    labels: tuple[tuple[str, str], ...], observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Labels that are missing, have another value, or are there although nothing asks for them."""
    for name, value in labels:
        if observed.labels.get(name) != value:
            yield Difference(field=f"label {name}", before=observed.labels.get(name, NOT_SET), after=value)
    wanted = {name for name, _ in labels}.union(OWN_LABELS)
    for name in sorted(observed.labels.keys() - wanted) if defaults else ():
        if defaults and defaults.labels.get(name) != observed.labels[name]:
            yield Difference(field=f"label {name}", before=observed.labels[name] or '""', after=NOT_SET)
