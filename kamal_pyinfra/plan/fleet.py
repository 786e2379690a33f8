"""The plan of a whole fleet: what each host will have changed, and what is built first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import AccessoryChange, Action, Change, PullImage
from kamal_pyinfra.plan.collisions import foreign_accessories
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff import diff_host
from kamal_pyinfra.plan.diff_accessory import diff_accessories
from kamal_pyinfra.plan.diff_app import edited_files
from kamal_pyinfra.plan.diff_leftovers import is_former
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.refusals import refuse
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import DesiredHost


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """The changes of one host, in the order in which they are made.

    Args:
        roles: the host's roles in the configuration, primary first.
        unchanged: how many of the wanted things are as they should be.
        notes: what the user should know besides, one clause each.
        accessories: the host's accessories in the configuration.
        advice: what differs but is not part of the run; each names the command that changes it.
    """

    host: str
    roles: tuple[str, ...]
    changes: tuple[Change, ...]
    unchanged: int = 0
    notes: tuple[str, ...] = ()
    accessories: tuple[str, ...] = ()
    advice: tuple[AccessoryChange, ...] = ()

    @property
    def main_changes(self) -> tuple[Change, ...]:
        """Those that stand for themselves; the others come along with one of them."""
        return tuple(change for change in self.changes if not change.part_of)


@dataclass(frozen=True, kw_only=True)
class BuildImage(Change):
    """The image gets built and pushed from the deploying machine."""

    usual_action = Action.CREATE
    kind = "build"

    image: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will change, and why; without version if it is not about one.

    Args:
        notes: what a reader should know although nothing is done about it.
    """

    service: str
    version: str
    command: str
    build: BuildImage | None
    hosts: tuple[HostPlan, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(host.changes for host in self.hosts)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of all hosts, the build first."""
        of_hosts = tuple(change for host in self.hosts for change in host.changes)
        return of_hosts if self.build is None else (self.build, *of_hosts)

    @property
    def main_changes(self) -> tuple[Change, ...]:
        """Those that stand for themselves, the build first."""
        return tuple(change for change in self.changes if not change.part_of)

    @property
    def unchanged(self) -> int:
        """How many of the wanted things on all hosts are as they should be."""
        return sum(host.unchanged for host in self.hosts)

    @property
    def counts(self) -> Counter[str]:
        """How many changes stand for themselves, by action."""
        return Counter(change.action.name.lower() for change in self.main_changes)

    @property
    def advice(self) -> tuple[AccessoryChange, ...]:
        """What differs on any host but is not part of the run."""
        return tuple(change for host in self.hosts for change in host.advice)

    @property
    def has_drift(self) -> bool:
        """Whether somebody else changed a host since the last run."""
        return any(change.is_drift for change in self.changes)


def make_plan(run: Run, observed: Mapping[str, ObservedHost], left_out: Iterable[str] = ()) -> Plan:
    """Compare a fleet with the configuration.

    Args:
        run: the configuration, the version and the run's fixed values.
        observed: a look at every host that takes part, by name.
        left_out: hosts that would take part but could not be looked at.

    Raises:
        PlanRefused: a host is not usable, or a change would harm another service.
    """
    hosts = [host for host in run.fleet if host in observed]
    desired = {host: desired_host(run, host) for host in hosts}
    refuse(run, desired, observed)
    plans = tuple(_host_plan(run, desired[host], observed[host]) for host in hosts)
    return Plan(
        service=naming.service_name(run.config),
        version=run.version,
        command=run.command,
        build=_build(run, plans),
        hosts=plans,
        notes=(*_left_out(run, left_out), *_notes(run, observed)),
    )


def _host_plan(run: Run, desired: DesiredHost, observed: ObservedHost) -> HostPlan:
    changes = diff_host(desired, observed)
    changed = {change.subject for change in changes}
    advice = (change for change in diff_accessories(desired, observed) if change not in changes)
    return HostPlan(
        host=desired.host,
        roles=roles_on(run, desired.host),
        changes=changes,
        unchanged=len(set(desired.subjects) - changed),
        notes=(
            *_edited(desired, observed, changed),
            *foreign_accessories(desired, observed),
            *_never_here(run, desired, observed),
        ),
        accessories=run.config.accessories_on(desired.host),
        advice=() if run.roles else tuple(advice),
    )


def _edited(desired: DesiredHost, observed: ObservedHost, changed: set[str]) -> Iterator[str]:
    """The app itself may change its files, so it takes a word of the user to replace a container for that."""
    for container in desired.containers:
        existing = observed.container(container.name)
        if existing is not None and existing.edited and container.name not in changed:
            yield (
                f"container {container.name}: {edited_files(existing)}, by the app or by hand; `--replace-edited` "
                "starts it anew from the image (drift)"
            )
        if existing is not None and not existing.are_edits_known and container.name not in changed:
            yield (
                f"container {container.name}: whether files of its image were changed is not known, as the host could "
                f"not list them all; `docker diff {container.name}` on the host lists them"
            )


def _never_here(run: Run, desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    if desired.is_leaving and not is_former(desired, observed):
        yield f"has nothing of {naming.service_name(run.config)}, no container and no record of it: left alone"


def departed_hosts(run: Run, observed: Mapping[str, ObservedHost]) -> dict[str, tuple[str, ...]]:
    """Hosts, with their roles, that a record knows and neither the configuration nor the run does."""
    recorded: dict[str, dict[str, None]] = {}
    records = [observed[host].record for host in sorted(observed)]
    for host, roles in (item for record in records if record is not None for item in record.hosts.items()):
        recorded.setdefault(host, {}).update(dict.fromkeys(roles))
    return {host: tuple(recorded[host]) for host in sorted(recorded.keys() - run.known_hosts - {*run.forgotten})}


def _left_out(run: Run, hosts: Iterable[str]) -> Iterator[str]:
    for host in hosts:
        if run.has_accessories_only(host):
            yield f"{host} ({', '.join(run.config.accessories_on(host))}) cannot be reached, and has accessories only"
        else:
            yield f"{host} ({', '.join(roles_on(run, host))}) cannot be reached and is left out; deploy again later"


def _notes(run: Run, observed: Mapping[str, ObservedHost]) -> Iterator[str]:
    for host, roles in departed_hosts(run, observed).items():
        what = ", ".join(roles) or "accessories"
        yield (
            f"{host} ({what}) is not in the config any more: `kp deploy --decommission` removes "
            f"{run.config.service} from it, `--forget {host}` only stops this note"
        )
    if run.release_host and run.release_host not in observed:
        yield f"The release command does not run: its host {run.release_host} does not take part."
    elif run.release_host and not run.includes(run.release_role):
        yield f"The release command does not run: its role {run.release_role} does not take part."
    if run.keeps_env:
        yield "Secrets are kept as they are on the hosts (--keep-env); changes of them are not seen."


def roles_on(run: Run, host: str) -> tuple[str, ...]:
    """A host's roles in the configuration, primary first."""
    return tuple(role.name for role in run.config.roles if role.runs_on(host))


def _build(run: Run, plans: tuple[HostPlan, ...]) -> BuildImage | None:
    missing = [plan.host for plan in plans if any(isinstance(change, PullImage) for change in plan.changes)]
    if not missing or not run.is_build_allowed:
        return None
    hosts = "1 host does" if len(missing) == 1 else f"{len(missing)} hosts do"
    return BuildImage(image=run.config.absolute_image(run.version), cause=f"{hosts} not have it")
