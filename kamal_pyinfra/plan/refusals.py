"""What speaks against carrying out a plan on a host: it cannot be done, or would harm others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.changes import AwaitContainer
from kamal_pyinfra.plan.collisions import collisions, taken_accessories, taken_names
from kamal_pyinfra.plan.diff_app import diff_containers
from kamal_pyinfra.plan.diff_host import diff_docker
from kamal_pyinfra.plan.diff_proxy import contradictions
from kamal_pyinfra.plan.given_options import published_ports
from kamal_pyinfra.plan.observed import FOREIGN_WAY_OUT, ObservedContainer, ObservedHost
from kamal_pyinfra.plan.routes import routes_of
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import AppContainer, DesiredHost


def refuse(run: Run, desired: Mapping[str, DesiredHost], observed: Mapping[str, ObservedHost]) -> None:
    """Stop before anything changes if the plan cannot or must not be carried out.

    Raises:
        PlanRefused: with one line for each reason.
    """
    reasons = [reason for host in desired for reason in _reasons(run, desired[host], observed[host])]
    if reasons:
        raise PlanRefused("\n".join(reasons))


def _reasons(run: Run, desired: DesiredHost, observed: ObservedHost) -> list[str]:
    if desired.host not in run.known_hosts:
        return [f"{desired.host} is not in the configuration: leave it out with --limit, or add it to a role"]
    if observed.docker.stand_in:
        return [f"{desired.host}: {observed.docker.error}: {FOREIGN_WAY_OUT}"]
    if not run.is_setup and diff_docker(desired, observed):
        cause = diff_docker(desired, observed)[0].cause
        return [f"{desired.host}: {cause}; run `kp setup` first. {observed.docker.error}".rstrip()]
    if run.command == "rollback" and desired.containers and not observed.has_image(desired.image):
        return [f"{desired.host}: version {run.version} is not on the host; `kp app details` lists what is"]
    return [
        *collisions(desired, observed),
        *taken_names(desired, observed),
        *(taken_accessories(desired, observed) if desired.boots_accessories else ()),
        *_clashing_routes(desired, observed),
        *_held_ports(desired, observed),
        *contradictions(desired, observed),
        *_unknown_secrets(desired, observed),
    ]


def _clashing_routes(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """Two services with the same rule at the same priority: Traefik would pick one at random."""
    for container in desired.containers:
        routes = routes_of(dict(container.labels))
        for other in observed.containers:
            is_neighbour = bool(other.role) and other.is_running and not desired.owner.is_service_of(other)
            for route in sorted(routes & routes_of(other.labels), key=str) if is_neighbour else ():
                yield _clash(desired.host, container, other, route.text)


def _held_ports(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """A port of the host that the old container holds: the new one could not boot beside it, today or ever."""
    booting = [each.container for each in diff_containers(desired, observed) if not isinstance(each, AwaitContainer)]
    for container in booting:
        wanted = published_ports(container.options)
        for old in desired.owner.running(observed.containers) if wanted else ():
            held = {binding.rpartition(":")[2] for bindings in old.ports.values() for binding in bindings}
            yield from (_held(desired.host, container, old, port) for port in sorted(wanted & held))


def _held(host: str, container: AppContainer, old: ObservedContainer, port: str) -> str:
    return (
        f"{host}: role {container.role} publishes port {port} of the host, which {old.name} holds: the new container "
        "cannot boot beside it. Take `publish` out of the role's options (the proxy routes to the port inside), "
        "or run `kp app stop` before each deploy"
    )


def _clash(host: str, container: AppContainer, other: ObservedContainer, route: str) -> str:
    return (
        f"{host}: {other.service_name} ({other.name}) already serves the rule {route}, which role {container.role} "
        f"asks for too; give it another one with the label {_router(container)}.rule"
    )


def _router(container: AppContainer) -> str:
    """The first of the container's routers, as its labels spell it."""
    names = (name for name, _ in container.labels if ".routers." in name and name.endswith(".rule"))
    return next(names, "traefik.http.routers.NAME.rule").removesuffix(".rule")


def _unknown_secrets(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """With ``--keep-env`` the env files of earlier runs are used; they must be there, with every secret in them."""
    way_out = "so --keep-env cannot keep it; give the secrets once"
    for file in desired.env_files:
        seen = observed.files.get(file.path)
        if file.content is None and seen is None:
            yield f"{desired.host}: {file.path} is not there, {way_out}"
        elif file.content is None and seen is not None:
            for name in (name for name in file.names if name not in seen.checks):
                yield f"{desired.host}: {file.path} has no {name}, {way_out}"
