"""``kp env``, ``kp server bootstrap``, ``kp registry`` and ``kp build pull``."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import LogIn, LogOut, RemoveEnvFile
from kamal_pyinfra.plan.collisions import collisions
from kamal_pyinfra.plan.desired import desired_host, directories
from kamal_pyinfra.plan.diff import host as diffs
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.proxy import proxy_conflicts
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost

CAUSE = "asked for"


def push(run: Run, observed: ObservedHost) -> TaskDecision:
    """Every env file has today's content."""
    compared = Comparison(desired_host(run, observed.host), observed)
    conflicts = (*collisions(compared.desired, observed), *proxy_conflicts(compared))
    return TaskDecision(
        changes=(*diffs.diff_directories(compared), *diffs.diff_env_files(compared)),
        refusals=(*docker_errors(observed), *conflicts),
    )


def delete(run: Run, observed: ObservedHost) -> TaskDecision:
    """No env file of the roles that the run may touch; the proxy's stays as long as another service shares it."""
    config, proxy_file = run.config, naming.proxy_env_file(run.config)
    others = services_behind_proxy(each for each in observed.containers if not run.owner.owns(each))
    names = (name for name in config.accessories_on(observed.host) if run.includes_accessory(name))
    paths = (
        *(naming.role_env_file(config, role) for role in run.known_roles if run.includes(role)),
        *(() if run.roles or others else (proxy_file,)),
        *(naming.accessory_env_file(config, naming.accessory_container(config, name)) for name in names),
    )
    stays = proxy_file in observed.files and others and not run.roles
    return TaskDecision(
        changes=tuple(RemoveEnvFile(path=path, cause=CAUSE) for path in paths if path in observed.files),
        notes=(f"{proxy_file} stays: {', '.join(others)} uses the proxy",) if stays else (),
        refusals=docker_errors(observed),
    )


def bootstrap(run: Run, observed: ObservedHost) -> TaskDecision:
    """Docker answers, and the folders are there that everything else is put into."""
    folders = diffs.missing_directories(directories(run.config, with_proxy=False), observed)
    refusals = docker_errors(observed) if observed.docker.stand_in else ()
    return TaskDecision(changes=(*diffs.missing_docker(observed), *folders), refusals=refusals)


def pull(run: Run, observed: ObservedHost) -> TaskDecision:
    """The image is fetched, also where one of that version is."""
    compared = Comparison(desired_host(run, observed.host), observed)
    steps = (diffs.diff_docker, diffs.diff_directories, diffs.diff_login, diffs.diff_images)
    return TaskDecision(changes=tuple(change for diff in steps for change in diff(compared)))


def log_in(run: Run, observed: ObservedHost) -> TaskDecision:
    """The engine gets the credentials anew, since what it has cannot be read."""
    return TaskDecision(changes=(LogIn(server=run.config.registry.server, cause=CAUSE),))


def log_out(run: Run, observed: ObservedHost) -> TaskDecision:
    """The engine has no credentials."""
    changes = (LogOut(server=run.config.registry.server, cause=CAUSE),) if observed.logged_in else ()
    return TaskDecision(changes=changes)
