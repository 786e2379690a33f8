"""The plan of a whole fleet: what each host will have changed, and what is built first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kamal_pyinfra import naming
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.changes import Action, Change, PullImage
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff import diff_docker, diff_host
from kamal_pyinfra.plan.neighbours import contradictions
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import DesiredHost


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """The changes of one host, in the order in which they are made.

    Args:
        roles: the host's roles in the configuration, primary first.
        notes: what the user should know besides, one clause each.
    """

    host: str
    roles: tuple[str, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuildImage(Change):
    """The image gets built and pushed from the deploying machine."""

    action = Action.CREATE
    kind = "build"

    image: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will change, and why; without version if it is not about one."""

    service: str
    version: str
    command: str
    build: BuildImage | None
    hosts: tuple[HostPlan, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(host.changes for host in self.hosts)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of all hosts, the build first."""
        of_hosts = tuple(change for host in self.hosts for change in host.changes)
        return of_hosts if self.build is None else (self.build, *of_hosts)


def make_plan(run: Run, observed: Mapping[str, ObservedHost]) -> Plan:
    """Compare a fleet with the configuration.

    Args:
        run: the configuration, the version and the run's fixed values.
        observed: a look at every host that takes part, by name.

    Raises:
        PlanRefused: a host is not usable, or a change would harm another service.
    """
    hosts = [server.host for server in run.config.role_hosts if server.host in observed]
    desired = {host: desired_host(run, host) for host in hosts}
    refuse(run, desired, observed)
    plans = tuple(
        HostPlan(host=host, roles=roles_on(run, host), changes=diff_host(desired[host], observed[host]))
        for host in hosts
    )
    return Plan(
        service=naming.service_name(run.config),
        version=run.version,
        command=run.command,
        build=_build(run, plans),
        hosts=plans,
    )


def roles_on(run: Run, host: str) -> tuple[str, ...]:
    """A host's roles in the configuration, primary first."""
    return tuple(role.name for role in run.config.roles if role.runs_on(host))


def _build(run: Run, plans: tuple[HostPlan, ...]) -> BuildImage | None:
    missing = [plan.host for plan in plans if any(isinstance(change, PullImage) for change in plan.changes)]
    if not missing or not run.is_build_allowed:
        return None
    hosts = "1 host does" if len(missing) == 1 else f"{len(missing)} hosts do"
    return BuildImage(image=run.config.absolute_image(run.version), cause=f"{hosts} not have it")


def refuse(run: Run, desired: Mapping[str, DesiredHost], observed: Mapping[str, ObservedHost]) -> None:
    """Stop before anything changes if the plan cannot or must not be carried out.

    Raises:
        PlanRefused: with one line for each reason.
    """
    reasons = [reason for host in desired for reason in _reasons(run, desired[host], observed[host])]
    if reasons:
        raise PlanRefused("\n".join(reasons))


def _reasons(run: Run, desired: DesiredHost, observed: ObservedHost) -> list[str]:
    if desired.host not in {server.host for server in run.config.role_hosts}:
        return [f"{desired.host} is not in the configuration: leave it out with --limit, or add it to a role"]
    if not run.is_setup and diff_docker(desired, observed):
        cause = diff_docker(desired, observed)[0].cause
        return [f"{desired.host}: {cause}; run `kp setup` first. {observed.docker.error}".rstrip()]
    if run.command == "rollback" and desired.containers and not observed.has_image(desired.image):
        return [f"{desired.host}: version {run.version} is not on the host; `kp app details` lists what is"]
    return [*_taken_names(desired, observed), *contradictions(desired, observed)]


def _taken_names(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """``shop-web-eu-v1`` is role ``web-eu``, but also role ``web`` of the destination ``eu``."""
    return [
        f"{desired.host}: the name {container.name} is taken by a container that is not ours"
        for container in desired.containers
        if (existing := observed.container(container.name))
        and _identity(existing.labels) != _identity(dict(container.labels))
    ]


def _identity(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("service", "role", "destination"))
