"""``Difference``; variables, secrets, labels and mounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Self

from kamal_pyinfra.config.env import is_for_host
from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.docker_values import Options, names_in_options
from kamal_pyinfra.plan.proxy.gate import without_gate
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.digest import clear_check
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer

NOT_SET = "(not set)"
NAMED_FIELDS = 4
OWN_VARIABLES = ("KAMAL_CONTAINER_NAME", "KAMAL_VERSION")
OWN_LABELS = (DIGEST_LABEL, OWNER_LABEL, ACCESSORY_LABEL, CLEAR_LABEL)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""What Docker gives every container by itself if its settings on the host name a proxy."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field with what it is and what it should be; never the value of a secret."""

    field: str  # what differs, for example ``env COLOR``, ``memory`` or ``secret TOP_SECRET``
    before: str = ""  # what is there; empty for fields whose value is not shown
    after: str = ""  # what should be there; for fields without values what happened to them, for example ``changed``

    @property
    def text(self) -> str:
        """``env COLOR: blue → green``, or ``secret TOP_SECRET changed`` where no value may be shown."""
        return f"{self.field}: {self.before} → {self.after}" if self.before else f"{self.field} {self.after}"


def as_cause(differences: tuple[Difference, ...]) -> str:
    """One difference in full, a few by their fields, many by their number."""
    if len(differences) == 1:
        return differences[0].text
    fields = dict.fromkeys(difference.field for difference in differences)
    if len(fields) > NAMED_FIELDS:
        return f"{len(fields)} fields differ"
    return f"{', '.join(fields)} {'differ' if len(fields) > 1 else 'differs'}"


def env_differences(env: tuple[tuple[str, str], ...], observed: ObservedContainer) -> Iterator[Difference]:
    """Clear variables that are missing or have another value."""
    for name, value in env:
        if is_for_host(value):
            continue  # the host's shell expanded it; only the digest can tell
        if name in observed.secret_checks:
            continue  # it is secret elsewhere, and compared as such
        if name not in observed.env:
            yield Difference(field=f"env {name}", before=NOT_SET, after=value)
        elif (existing := observed.env[name]) is None:
            # What the container does not call clear may have been a secret: only that it differs is shown.
            if observed.clear_checks.get(name, clear_check(name, value)) != clear_check(name, value):
                yield Difference(field=f"env {name}", after="changed")
        elif existing != value:
            yield Difference(field=f"env {name}", before=existing, after=value)


def surplus_env_differences(
    names: Iterable[str], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Variables that are there although nothing asks for them, also those that were secret once."""
    others = names_in_options(options, "env")
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
    existing = observed.secret_checks
    differences = tuple(changed_secrets(checks, existing, defaults.env if defaults else frozenset()))
    yield from differences
    # With a variable of the image among them the digest of all says nothing; then the checks have to do.
    if not differences and existing.keys() <= checks.keys():
        yield Difference(field="a secret", after="changed")


def changed_secrets(
    checks: Mapping[str, int], existing: Mapping[str, int], of_image: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """What differs between two sets of secrets, by name."""
    for name, check in checks.items():
        if existing.get(name) != check:
            yield Difference(field=f"secret {name}", after="changed" if name in existing else "added")
    for name in sorted(existing.keys() - checks.keys() - of_image):
        yield Difference(field=f"secret {name}", after="removed")


def label_differences(
    labels: tuple[tuple[str, str], ...], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Labels that are missing, have another value, or are there although nothing asks for them."""
    for name, value in labels:
        if observed.labels.get(name) != value:
            yield Difference(field=f"label {name}", before=observed.labels.get(name, NOT_SET), after=value)
    others = names_in_options(options, "label")
    if defaults is None or others is None:
        return
    wanted = {name for name, _ in labels}.union(OWN_LABELS, others)
    hiding = dict(hiding_labels(labels, options))
    for name in sorted(without_gate(observed.labels).keys() - wanted):
        if observed.labels[name] not in (defaults.labels.get(name), hiding.get(name)):
            yield Difference(field=f"label {name}", before=observed.labels[name] or '""', after=NOT_SET)


MOUNTING = ("volume", "v", "mount", "tmpfs", "volumes-from")
"""Options that mount something too; what they mount is compared by the digest."""


@dataclass(frozen=True, kw_only=True)
class DesiredMount:
    """One mount."""

    target: str  # path in the container
    source: str  # path or volume on the host; empty if it may be any
    is_read_only: bool = False
    # whether its source is made anew for each container, so that only its absence is a difference
    is_ours: bool = False

    @classmethod
    def parse(cls, volume: str) -> Self:
        """``SOURCE:TARGET[:OPTIONS]``, or ``TARGET`` alone for an anonymous volume."""
        source, _, rest = volume.rpartition(":") if volume.count(":") == 0 else volume.partition(":")
        target, _, mode = rest.partition(":")
        source = "" if source.startswith(".") else source  # relative to where docker ran
        return cls(target=normpath(target), source=source, is_read_only="ro" in mode.split(","))

    @property
    def text(self) -> str:
        """As ``docker run --volume`` would have it, without the target."""
        return f"{self.source}:ro" if self.is_read_only else self.source


def mount_differences(
    mounts: Iterable[DesiredMount], options: Options, observed: ObservedContainer
) -> Iterator[Difference]:
    """Mounts that are missing, come from elsewhere, or are there although nothing asks for them."""
    by_target = {normpath(mount.target): mount for mount in mounts}
    for target, mount in sorted(by_target.items()):
        if target not in observed.mounts:
            source = "" if mount.is_ours else mount.text
            yield Difference(field=f"volume {target}", before="(not mounted)", after=source or "mounted")
        elif not mount.is_ours and mount.source and observed.volumes.get(target, mount.text) != mount.text:
            yield Difference(field=f"volume {target}", before=observed.volumes[target], after=mount.text)
    if any(name in MOUNTING for name, _ in options):
        return
    for target in sorted(observed.volumes.keys() - by_target.keys()):
        if observed.volumes[target]:
            yield Difference(field=f"volume {target}", before=observed.volumes[target], after=NOT_SET)
