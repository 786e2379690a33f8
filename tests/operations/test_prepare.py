"""What a host needs before containers: each operation sends its command once, and nothing when the state holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kamal_pyinfra.deploys import phases
from kamal_pyinfra.operations import app as assets
from kamal_pyinfra.operations import app as finish
from kamal_pyinfra.operations import host as docker
from kamal_pyinfra.operations.apply import applied, differing
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_directories, diff_env_files, diff_images, diff_login
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.diff.proxy import diff_proxy, running_gates
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.state.observed import Docker, ObservedFile, Status, record_text
from kamal_pyinfra.shell import app as asset_commands
from kamal_pyinfra.shell import host as edits
from kamal_pyinfra.shell import image as image_commands
from kamal_pyinfra.shell.host import measured, write_secret
from kamal_pyinfra.shell.image import log_in
from kamal_pyinfra.shell.proxy import container as proxy_commands
from kamal_pyinfra.shell.proxy.container import replace_by_working, with_proxy_lock_if_unchanged
from kamal_pyinfra.shell.script import guarded, with_functions
from tests.operations.conftest import HOSTS, OTHER, PRIMARY, behind, deployed, fresh, step
from tests.operations.fleet import changed, failed

AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] {}' >> .kamal/shop-audit.log"
DIRECTORIES = "( umask 022 && mkdir -p .kamal .kamal/locks .kamal/env/roles .kamal/env/traefik ) && chmod 700 .kamal/env/roles .kamal/env/traefik"  # fmt: skip  # noqa: E501
SECRETS = ("registry-hush", "base-hush", "postgres-hush")


def written(path: str) -> str:
    """What puts standard input into a secret file."""
    return with_functions(write_secret(path))


PUSHED = AUDIT.format("Pushed env files")
ENV_FILES = {
    PRIMARY: [
        written(".kamal/env/roles/shop-web.env"),
        written(".kamal/env/roles/shop-job.env"),
        written(".kamal/env/traefik/traefik.env"),
        PUSHED,
    ],
    OTHER: [written(".kamal/env/roles/shop-web.env"), written(".kamal/env/traefik/traefik.env"), PUSHED],
}


def test_missing_folders_are_created_by_one_command(fleet, run):
    hosts = fleet(fresh)
    for name in HOSTS:
        there = replace(fresh(run, name), directories=frozenset(desired_host(run, name).directories))
        hosts.servers[name].knows(DIRECTORIES, then=there)
    assert changed(hosts.does(applied, decide=differing(diff_directories))) == list(HOSTS)
    assert [hosts.commands(name) for name in HOSTS] == [[DIRECTORIES]] * 2
    assert changed(hosts.does(applied, decide=differing(diff_directories))) == []
    assert [hosts.commands(name) for name in HOSTS] == [[]] * 2


def test_only_the_host_that_lacks_something_gets_a_command(fleet, run):
    hosts = fleet(deployed)
    server = hosts.servers[OTHER]
    server.observed = replace(server.observed, directories=server.observed.directories - {".kamal/locks"})
    server.knows("( umask 022 && mkdir -p .kamal/locks )")
    assert changed(hosts.does(applied, decide=differing(diff_directories))) == [OTHER]
    assert hosts.commands(PRIMARY) == []


def test_env_files_are_written_from_standard_input(fleet, run):
    hosts = fleet(fresh)
    for name in HOSTS:
        for command in ENV_FILES[name]:
            hosts.servers[name].knows(command)
        hosts.servers[name].knows(ENV_FILES[name][-1], then=deployed(run, name))
    hosts.does(applied, decide=differing(diff_env_files))
    assert [hosts.commands(name) for name in HOSTS] == [ENV_FILES[name] for name in HOSTS]
    assert hosts.servers[PRIMARY].typed == [
        "26\nSECRET_KEY_BASE=base-hush\n",
        "26\nSECRET_KEY_BASE=base-hush\n",
        "32\nPOSTGRES_PASSWORD=postgres-hush\n",
    ]
    assert changed(hosts.does(applied, decide=differing(diff_env_files))) == []
    assert [hosts.commands(name) for name in HOSTS] == [[]] * 2


@pytest.mark.parametrize("seen", [ObservedFile(digest="0" * 64, mode="600"), None])
def test_a_changed_secret_or_an_open_file_is_written_anew(fleet, run, seen):
    hosts = fleet(deployed)
    path = ".kamal/env/roles/shop-job.env"
    server = hosts.servers[PRIMARY]
    file = seen or replace(server.observed.files[path], mode="644")
    server.observed = replace(server.observed, files={**server.observed.files, path: file})
    mend = written(path) if seen else f"chmod 600 {path}"
    server.knows(mend)
    server.knows(PUSHED)
    assert changed(hosts.does(applied, decide=differing(diff_env_files))) == [PRIMARY]
    assert hosts.commands(PRIMARY) == [mend, PUSHED]


def test_env_files_are_deleted_once_and_audited(fleet, run):
    hosts = fleet(deployed, replace(run, command="env"))
    command = (
        "rm -f .kamal/env/roles/shop-web.env .kamal/env/roles/shop-job.env .kamal/env/traefik/traefik.env"
        f" && {AUDIT.format('Deleted env files')}"
    )
    hosts.servers[PRIMARY].knows(guarded(command, seconds=300), then=fresh(run, PRIMARY))
    other = command.replace(" .kamal/env/roles/shop-job.env", "")
    hosts.servers[OTHER].knows(guarded(other, seconds=300), then=fresh(run, OTHER))
    assert changed(hosts.does(applied, **step("env delete"))) == list(HOSTS)
    assert hosts.commands(PRIMARY) == [guarded(command, seconds=300)]
    assert changed(hosts.does(applied, **step("env delete"))) == []


def test_a_host_logs_in_only_when_it_is_going_to_pull(fleet, run):
    hosts = fleet(behind)
    command = with_functions(f"{log_in(None, 'acme')} > /dev/null")
    for name in HOSTS:
        hosts.servers[name].knows(command, then=deployed(run, name))
    hosts.does(applied, decide=differing(diff_login))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert hosts.servers[OTHER].typed == ["14\nregistry-hush\n"]
    assert changed(hosts.does(applied, decide=differing(diff_login))) == []


def test_the_image_is_pulled_once_checked_and_audited(fleet, run):
    hosts = fleet(behind)
    pull = image_commands.pull("acme/shop:v2", "shop")
    command = guarded(f"{pull} && {AUDIT.format('Pulled image with version v2')}", seconds=1800, key="pull_timeout")
    for name in HOSTS:
        hosts.servers[name].knows(command, then=deployed(run, name))
    hosts.does(applied, decide=differing(diff_images))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert changed(hosts.does(applied, decide=differing(diff_images))) == []
    assert [hosts.commands(name) for name in HOSTS] == [[]] * 2


def test_a_pull_that_was_asked_for_happens_also_where_an_image_of_that_version_is(fleet, run):
    asked = replace(run, command="build")
    hosts = fleet(deployed, asked)
    pull = image_commands.pull("acme/shop:v2", "shop")
    command = guarded(f"{pull} && {AUDIT.format('Pulled image with version v2')}", seconds=1800, key="pull_timeout")
    for name in HOSTS:
        hosts.servers[name].knows(command)
        hosts.servers[name].knows(with_functions(f"{log_in(None, 'acme')} > /dev/null"))
    hosts.does(applied, decide=differing(diff_login))
    hosts.does(applied, decide=differing(diff_images))
    assert [hosts.commands(name)[-1] for name in HOSTS] == [command] * 2


RECORD = write_secret(".kamal/shop-hosts.json")
NOTED = {
    PRIMARY: edits.record_edits(".kamal/shop-files", ["shop-web-v2", "shop-job-v2"]),
    OTHER: edits.record_edits(".kamal/shop-files", ["shop-web-v2"]),
}


def test_latest_moves_to_the_version_in_service(fleet, run):
    hosts = fleet(deployed)
    server = hosts.servers[OTHER]
    server.observed = replace(
        server.observed, images=tuple(i for i in server.observed.images if "latest" not in i.reference)
    )
    tag = f"docker tag acme/shop:v2 acme/shop:latest && {AUDIT.format('Tagging acme/shop:v2 as the latest image')}"
    records = {name: next_record(Comparison(desired_host(run, name), deployed(run, name))) for name in HOSTS}
    marks = {PRIMARY: f"{RECORD} && {NOTED[PRIMARY]}", OTHER: f"{tag} && {RECORD} && {NOTED[OTHER]}"}
    marks = {name: with_functions(mark) for name, mark in marks.items()}
    for name in HOSTS:
        then = replace(deployed(run, name), record=records[name])
        hosts.servers[name].knows(marks[name], then=then)
    assert changed(hosts.does(finish.finished)) == list(HOSTS)
    assert (hosts.commands(PRIMARY), hosts.commands(OTHER)) == ([marks[PRIMARY]], [marks[OTHER]])
    assert server.typed == [measured(record_text(records[OTHER]))]
    assert changed(hosts.does(finish.finished)) == []


def test_a_missing_proxy_is_run(fleet, run):
    hosts = fleet(fresh)
    wanted = desired_host(run, PRIMARY).proxy
    command = guarded(
        with_proxy_lock_if_unchanged(proxy_commands.run(wanted), proxy=wanted, observed=""),
        seconds=1800,
        key="pull_timeout",
    )
    for name in HOSTS:
        hosts.servers[name].knows(command, then=deployed(run, name))
    hosts.does(applied, decide=differing(diff_proxy))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert changed(hosts.does(applied, decide=differing(diff_proxy))) == []


def with_proxy(run, host, **fields):
    seen = deployed(run, host)
    return replace(seen, containers=tuple(replace(c, **fields) if c.name == "traefik" else c for c in seen.containers))


def test_a_stopped_proxy_is_started(fleet, run):
    hosts = fleet(lambda run, host: with_proxy(run, host, status=Status.EXITED))
    wanted = desired_host(run, PRIMARY).proxy
    start = with_proxy_lock_if_unchanged("docker start traefik > /dev/null", proxy=wanted, observed="id-of-traefik")
    command = guarded(start, seconds=1800, key="pull_timeout")
    for name in HOSTS:
        hosts.servers[name].knows(command)
    hosts.does(applied, decide=differing(diff_proxy))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2


def test_a_deploy_keeps_the_proxy_that_it_replaces_until_the_gate(fleet, run):
    hosts = fleet(lambda run, host: with_proxy(run, host, image="traefik:v2.10"))
    wanted = desired_host(run, PRIMARY).proxy
    gates = running_gates(deployed(run, PRIMARY).containers, proxy_arguments(wanted))
    replace_it = with_proxy_lock_if_unchanged(
        replace_by_working(wanted, gates, keeps_old=True), proxy=wanted, observed="id-of-traefik"
    )
    command = guarded(f"{replace_it}", seconds=1800, key="pull_timeout")
    for name in HOSTS:
        hosts.servers[name].knows(command)
    hosts.does(applied, decide=differing(diff_proxy))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2


def test_assets_are_extracted_and_bridged_when_a_container_starts(fleet, run):
    hosts = fleet(behind)
    wanted = next(container for container in desired_host(run, OTHER).containers if container.assets)
    command = guarded(asset_commands.sync_assets(wanted.assets, "acme/shop:v2", ("shop-web-v1",)), seconds=600)
    for name in HOSTS:
        hosts.servers[name].knows(command, then=deployed(run, name))
    hosts.does(assets.synced)
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert changed(hosts.does(assets.synced)) == []


def pairs(run):
    """Each operation of the phase with its arguments, and what tells beforehand whether it has something to do."""
    diffs, operations = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "may_change", lambda run, diff: diffs.append(diff) or True)
        for module, name in ((docker, "installed"), (assets, "synced"), (phases, "applied")):
            operation = getattr(module, name)
            patch.setattr(module, name, lambda run, name, _does=operation, **more: operations.append((_does, more)))
        phases.prepare._inner(run=run)
    assert len(operations) == len(set(diffs)) == 8
    return zip(operations, diffs, strict=True)


@pytest.mark.parametrize(
    "lost",
    [{}, {"images": ()}, {"files": {}}, {"directories": frozenset()}, {"assets": frozenset()}, {"containers": ()}],
    ids=str,
)
@pytest.mark.parametrize("kind", [fresh, behind, deployed])
def test_an_operation_is_left_out_of_the_phase_just_where_it_would_do_nothing(fleet, run, kind, lost):
    for (operation, arguments), diff in pairs(run):
        hosts = fleet(lambda run, host: replace(kind(run, host), **lost))
        for server in hosts.servers.values():
            server.known = AnyCommand(succeeds=True)
        compared = {name: Comparison(desired_host(run, name), hosts.servers[name].observed) for name in HOSTS}
        needed = [name for name in HOSTS if diff(compared[name])]
        assert changed(hosts.does(operation, **arguments)) == needed


def test_docker_is_left_alone_where_it_answers(fleet):
    hosts = fleet(deployed)
    assert changed(hosts.does(docker.installed)) == []
    assert [hosts.commands(name) for name in HOSTS] == [[]] * 2


def test_without_docker_a_deploy_fails_and_names_the_way_out(fleet, run):
    hosts = fleet(lambda run, host: replace(fresh(run, host), docker=Docker(installed=False)))
    command = "docker version > /dev/null || { echo 'run `kp setup` first' >&2; exit 1; }"
    for name in HOSTS:
        hosts.servers[name].knows(command, err=["run `kp setup` first"], is_success=False)
    state = hosts.does(docker.installed)
    assert failed(state) == list(HOSTS)
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2


def test_setup_installs_docker_and_looks_again(fleet, run):
    hosts = fleet(
        lambda run, host: replace(fresh(run, host), docker=Docker(installed=False)), replace(run, is_setup=True)
    )
    command = guarded("install_docker", seconds=900)
    for name in HOSTS:
        hosts.servers[name].knows(command, then=fresh(run, name))
    state = hosts.does(docker.installed)
    assert failed(state) == []
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert changed(hosts.does(docker.installed)) == []


def test_an_engine_that_refuses_the_user_is_set_up_too(fleet, run):
    error = "permission denied while trying to connect to the Docker daemon socket"
    hosts = fleet(
        lambda run, host: replace(fresh(run, host), docker=Docker(installed=True, error=error)),
        replace(run, is_setup=True),
    )
    for name in HOSTS:
        hosts.servers[name].knows(guarded("install_docker", seconds=900))
    assert changed(hosts.does(docker.installed)) == list(HOSTS)
    assert any("docker: deploy may not use docker" in line.replace("docker  ", "docker: ") for line in hosts.printed)


@pytest.mark.parametrize("name", ["It", None])
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (docker.installed, {}),
        *(
            (applied, {"decide": differing(diff)})
            for diff in (diff_directories, diff_env_files, diff_login, diff_images, diff_proxy)
        ),
        (assets.synced, {}),
    ],
)
def test_secrets_travel_on_standard_input_and_are_printed_nowhere(fleet, operation, arguments, name):
    hosts = fleet(fresh)
    everything = AnyCommand()
    for server in hosts.servers.values():
        server.known = everything
    hosts.does(operation, name=name, **arguments)
    text = "\n".join([*hosts.printed, *(command for server in hosts.servers.values() for command in server.commands)])
    assert hosts.printed
    assert [secret for secret in SECRETS if secret in text] == []


class AnyCommand(dict):
    """Every command is known; it fails, so that all its output is printed, unless it is to succeed."""

    def __init__(self, *, succeeds: bool = False) -> None:
        super().__init__()
        self.succeeds = succeeds

    def __contains__(self, command: object) -> bool:
        return True

    def __getitem__(self, command: str):
        from tests.operations.fleet import Effect

        return Effect() if self.succeeds else Effect(err=["it failed"], is_success=False)
