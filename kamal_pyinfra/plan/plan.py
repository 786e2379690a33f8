"""``Plan`` and ``HostPlan``: made for a deploy or a task, or refused with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from kamal_pyinfra import naming
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.changes import AccessoryChange, BuildImage, Change, PullImage
from kamal_pyinfra.plan.collisions import collisions, foreign_accessories, taken_names
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.accessory import diff_accessories
from kamal_pyinfra.plan.diff.app import UNLISTED_FILES, Comparison, edited_files
from kamal_pyinfra.plan.diff.host import diff_docker, diff_host
from kamal_pyinfra.plan.diff.leftovers import is_former
from kamal_pyinfra.plan.diff.proxy import proxy_conflicts
from kamal_pyinfra.plan.proxy.traefik import routes_of
from kamal_pyinfra.plan.run import Command, Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import FOREIGN_WAY_OUT, ObservedHost, Record


def refuse(reasons: Iterable[str]) -> None:
    """Refuse a plan if there are reasons why it must not be carried out: ``PlanRefused``, with a line for each."""
    if text := "\n".join(reasons):
        raise PlanRefused(text)


def reasons_against(compared: Comparison) -> Sequence[str]:
    """Why a host cannot or must not become what it should be; empty if nothing speaks against it."""
    desired, observed, run = compared.desired, compared.observed, compared.desired.run
    host, missing = desired.host, diff_docker(compared)
    if host not in run.fleet:
        return [f"{host} is not in the configuration: leave it out with --limit, or add it to a role"]
    if observed.docker.stand_in:
        return docker_errors(observed)
    if not run.is_setup and missing:
        return [f"{host}: {missing[0].cause}; run `kp setup` first. {observed.docker.error}".rstrip()]
    if run.command == Command.ROLLBACK and desired.containers and not observed.has_image(desired.image):
        return [f"{host}: version {run.version} is not on the host; `kp app details` lists what is"]
    accessories = foreign_accessories(desired, observed) if run.behaviour.boots_accessories else ()
    return [
        *collisions(desired, observed),
        *taken_names(desired, observed),
        *(f"{host}: {reason}" for reason in accessories),
        *_clashing_routes(desired, observed),
        *compared.port_conflicts(),
        *proxy_conflicts(compared),
        *_unknown_secrets(desired, observed),
    ]


def _clashing_routes(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """Two services with the same rule at the same priority: Traefik would pick one at random."""
    neighbours = [each for each in observed.running if each.role and not desired.owner.is_service_of(each)]
    for container, other in product(desired.containers, neighbours):
        routers = (name for name, _ in container.labels if ".routers." in name and name.endswith(".rule"))
        label = next(routers, "traefik.http.routers.NAME.rule")
        for route in sorted(routes_of(dict(container.labels)) & routes_of(other.labels), key=str):
            yield (
                f"{desired.host}: {other.service_name} ({other.name}) already serves the rule {route.text}, which "
                f"role {container.role} asks for too; give it another one with the label {label}"
            )


def _unknown_secrets(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """With ``--keep-env`` the env files of earlier runs are used; they must be there, with every secret in them."""
    way_out = "so --keep-env cannot keep it; give the secrets once"
    for file in (file for file in desired.env_files if file.content is None):
        existing = observed.files.get(file.path)
        if existing is None:
            yield f"{desired.host}: {file.path} is not there, {way_out}"
        else:
            missing = (name for name in file.names if name not in existing.checks)
            yield from (f"{desired.host}: {file.path} has no {name}, {way_out}" for name in missing)


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """The changes of one host, in the order in which they are made."""

    host: str
    roles: tuple[str, ...]  # the host's roles in the configuration, primary first
    changes: tuple[Change, ...]
    unchanged: int = 0  # how many of the desired things are as they should be
    notes: tuple[str, ...] = ()  # what the user should know besides, one clause each
    accessories: tuple[str, ...] = ()  # the host's accessories in the configuration
    advice: tuple[AccessoryChange, ...] = ()  # what differs but is not part of the run; each names its command


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will change, and why; without version if it is not about one."""

    service: str
    version: str
    command: str
    build: BuildImage | None
    hosts: tuple[HostPlan, ...]
    notes: tuple[str, ...] = ()  # what a reader should know although nothing is done about it

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
    def unchanged(self) -> int:
        """How many of the desired things on all hosts are as they should be."""
        return sum(host.unchanged for host in self.hosts)

    @property
    def counts(self) -> Counter[str]:
        """How many changes stand for themselves, by action."""
        return Counter(change.action.name.lower() for change in self.changes if not change.part_of)


def make_plan(run: Run, observed: Mapping[str, ObservedHost], left_out: Iterable[str] = ()) -> Plan:
    """Compare a fleet with the configuration, or refuse it; hosts that are left out could not be asked."""
    compared = [Comparison(desired_host(run, host), observed[host]) for host in run.fleet if host in observed]
    refuse(reason for each in compared for reason in reasons_against(each))
    plans = tuple(map(_host_plan, compared))
    missing = sum(any(isinstance(change, PullImage) for change in plan.changes) for plan in plans)
    hosts = "1 host does" if missing == 1 else f"{missing} hosts do"
    build = BuildImage(image=naming.image_reference(run.config, run.version), cause=f"{hosts} not have it")
    return Plan(
        service=naming.service_name(run.config),
        version=run.version,
        command=run.command,
        build=build if missing and run.is_build_allowed else None,
        hosts=plans,
        notes=tuple(_notes(run, observed, left_out)),
    )


def _host_plan(compared: Comparison) -> HostPlan:
    desired, changes = compared.desired, diff_host(compared)
    changed = {change.subject for change in changes}
    advice = (change for change in diff_accessories(compared) if change not in changes)
    decision = TaskDecision(changes=changes, notes=tuple(_host_notes(compared, changed)))
    plan = _decided(desired.run, desired.host, decision)
    unchanged = len(set(desired.subjects) - changed)
    return replace(plan, unchanged=unchanged, advice=() if desired.run.roles else tuple(advice))


def _host_notes(compared: Comparison, changed: set[str]) -> Iterator[str]:
    """The app itself may change its files, so it takes a word of the user to replace a container for that."""
    desired, observed = compared.desired, compared.observed
    for name in (container.name for container in desired.containers if container.name not in changed):
        existing = observed.container(name)
        if existing is not None and existing.edited:
            yield (
                f"container {name}: {edited_files(existing)}, by the app or by hand; `--replace-edited` "
                "starts it anew from the image (drift)"
            )
        if existing is not None and not existing.are_edits_known:
            yield f"container {name}: {UNLISTED_FILES}; `docker diff {name}` on the host lists them"
    yield from foreign_accessories(desired, observed)
    if desired.is_leaving and not is_former(compared):
        service = naming.service_name(desired.run.config)
        yield f"has nothing of {service}, no container and no record of it: left alone"


def former_hosts(run: Run, observed: Mapping[str, ObservedHost]) -> dict[str, tuple[str, ...]]:
    """Hosts, with their roles, that a record knows and neither the configuration nor the run does."""
    recorded: dict[str, dict[str, None]] = {}
    records = (observed[host].record or Record() for host in sorted(observed))
    for host, roles in (item for record in records for item in record.hosts.items()):
        recorded.setdefault(host, {}).update(dict.fromkeys(roles))
    return {host: tuple(recorded[host]) for host in sorted(recorded.keys() - {*run.fleet, *run.forgotten})}


def _notes(run: Run, observed: Mapping[str, ObservedHost], left_out: Iterable[str]) -> Iterator[str]:
    for host in left_out:
        if run.has_accessories_only(host):
            yield f"{host} ({', '.join(run.config.accessories_on(host))}) cannot be reached, and has accessories only"
        else:
            yield f"{host} ({', '.join(roles_on(run, host))}) cannot be reached and is left out; deploy again later"
    for host, roles in former_hosts(run, observed).items():
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
        yield "Secrets are kept as they are on the hosts (--keep-env); changes of them are not compared."


def roles_on(run: Run, host: str) -> tuple[str, ...]:
    """A host's roles in the configuration, primary first."""
    return tuple(role.name for role in run.config.roles if host in role.hosts)


@dataclass(frozen=True, kw_only=True)
class TaskDecision:
    """What one host has to go through."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()  # what the user should know besides, one clause each
    refusals: tuple[str, ...] = ()  # why none of it must be done, one line each


Decide = Callable[[Run, ObservedHost], TaskDecision]
"""What a command changes on a host in this state."""


def task_plan(run: Run, observed: Mapping[str, ObservedHost], decide: Decide) -> Plan:
    """The plan of a command that is not about a version, or ``PlanRefused`` if it must not be done on a host."""
    tasks = {host: decide(run, each) for host, each in observed.items()}
    refuse(refusal for task in tasks.values() for refusal in task.refusals)
    return Plan(
        service=naming.service_name(run.config),
        version="",
        command=run.command,
        build=None,
        hosts=tuple(_decided(run, host, task) for host, task in tasks.items()),
    )


def _decided(run: Run, host: str, task: TaskDecision) -> HostPlan:
    roles, accessories = roles_on(run, host), run.config.accessories_on(host)
    return HostPlan(host=host, roles=roles, accessories=accessories, changes=task.changes, notes=task.notes)


def docker_errors(observed: ObservedHost) -> tuple[str, ...]:
    """Why nothing can be decided on a host whose engine does not say what is there; one without engine has nothing."""
    error = observed.docker.error
    shown = f"{error}: {FOREIGN_WAY_OUT}" if observed.docker.stand_in else f"docker does not answer. {error}".rstrip()
    return (f"{observed.host}: {shown}",) if error else ()
