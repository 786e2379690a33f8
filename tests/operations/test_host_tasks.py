"""The proxy, the registry and the end of a service: each operation sends its command, or nothing where it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kamal_pyinfra.operations import plan
from kamal_pyinfra.operations.apply import applied, purged
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.state.observed import ObservedFile, Status
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from kamal_pyinfra.shell.image import log_in
from kamal_pyinfra.shell.proxy.container import replace_by_serving, run_serving, with_proxy_lock
from kamal_pyinfra.shell.script import guarded, with_functions
from tests.operations.conftest import HOSTS, OTHER, PRIMARY, deployed, fresh, retired, step
from tests.operations.fleet import changed, failed

AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] {}' >> .kamal/shop-audit.log"


def with_proxy(run, host, **fields):
    seen = deployed(run, host)
    return replace(seen, containers=tuple(replace(c, **fields) if c.name == "traefik" else c for c in seen.containers))


def exited(run, host):
    return with_proxy(run, host, status=Status.EXITED)


def shared(run, host):
    """A host on which the service blog is behind the proxy too."""
    seen = deployed(run, host)
    ours = next(each for each in seen.containers if each.role == "web")
    labels = {**ours.labels, "service": "blog", "traefik.http.routers.blog-web.rule": "Host(`blog.example`)"}
    return replace(seen, containers=(*seen.containers, replace(ours, name="blog-web-b1", labels=labels)))


def gone(run, host):
    """A host that the service has left, except for its audit log."""
    log = ObservedFile(digest="-", mode="-")
    return replace(fresh(run, host), files={".kamal/shop-audit.log": log})


def test_a_reboot_replaces_the_proxy_waits_until_it_serves_and_is_audited(fleet, run):
    traefik = replace(run, command="traefik")
    hosts = fleet(lambda _, host: shared(run, host), traefik)
    gates = (
        Gate(container="shop-web-v2", routers=("shop-web",), rules=("PathPrefix(`/`)",)),
        Gate(
            container="blog-web-b1",
            routers=("shop-web", "blog-web"),
            rules=("PathPrefix(`/`)", "Host(`blog.example`)"),
            server_name="blog.example",
        ),
    )
    script = (
        f"{with_proxy_lock('')}"
        f"{replace_by_serving(desired_host(traefik, PRIMARY).proxy, gates)}"
        f" && {AUDIT.format('Rebooted traefik')}"
    )
    for name in HOSTS:
        hosts.servers[name].knows(guarded(script, seconds=1800, key="pull_timeout"))
    assert changed(hosts.does(applied, **step("traefik reboot"))) == list(HOSTS)
    assert [hosts.commands(name) for name in HOSTS] == [[guarded(script, seconds=1800, key="pull_timeout")]] * 2


def test_a_proxy_that_is_not_there_is_run_by_a_reboot(fleet, run):
    traefik = replace(run, command="traefik")
    hosts = fleet(fresh, traefik)
    script = (
        f"{with_proxy_lock('')}{run_serving(desired_host(traefik, PRIMARY).proxy, ())}"
        f" && {AUDIT.format('Rebooted traefik')}"
    )
    for name in HOSTS:
        hosts.servers[name].knows(
            guarded(script, seconds=1800, key="pull_timeout"), err=["port is taken"], is_success=False
        )
    assert failed(hosts.does(applied, **step("traefik reboot"))) == list(HOSTS)


AT_ONCE = with_proxy_lock("", seconds=60)
STOP = f"docker stop traefik > /dev/null && {AUDIT.format('Stopped traefik')}"
START = f"docker start traefik > /dev/null && {AUDIT.format('Started traefik')}"


@pytest.mark.parametrize(
    ("command", "before", "after", "script"),
    [
        ("traefik stop", deployed, exited, STOP),
        ("traefik start", exited, deployed, START),
    ],
)
def test_the_proxy_is_switched_once(fleet, run, command, before, after, script):
    hosts = fleet(before)
    for name in HOSTS:
        hosts.servers[name].knows(guarded(f"{AT_ONCE}{script}", seconds=120), then=after(run, name))
    assert changed(hosts.does(applied, **step(command))) == list(HOSTS)
    assert [hosts.commands(name) for name in HOSTS] == [[guarded(f"{AT_ONCE}{script}", seconds=120)]] * 2
    assert changed(hosts.does(applied, **step(command))) == []


def test_a_restart_stops_and_starts_whatever_the_state(fleet):
    hosts = fleet(deployed)
    command = guarded(f"{AT_ONCE}{STOP} && {START}", seconds=120)
    for name in HOSTS:
        hosts.servers[name].knows(command)
    hosts.does(applied, **step("traefik restart"))
    hosts.does(applied, **step("traefik restart"))
    assert hosts.commands(OTHER) == [command] * 2


def test_the_proxy_goes_with_its_image_and_secrets(fleet, run):
    hosts = fleet(deployed)
    command = guarded(
        f"{AT_ONCE}docker stop traefik > /dev/null && docker rm traefik > /dev/null && "
        f"{AUDIT.format('Removed traefik container')} && docker rmi traefik:v2.11 > /dev/null && "
        f"{AUDIT.format('Removed traefik image')} && rm -f .kamal/env/traefik/traefik.env",
        seconds=120,
    )
    for name in HOSTS:
        hosts.servers[name].knows(command, then=fresh(run, name))
    assert changed(hosts.does(applied, **step("traefik remove"))) == list(HOSTS)
    assert changed(hosts.does(applied, **step("traefik remove"))) == []


@pytest.mark.parametrize(("command", "number"), [("traefik remove", -1), ("remove", 2)])
def test_the_proxy_of_a_neighbour_gets_no_command(fleet, command, number):
    hosts = fleet(shared)
    assert changed(hosts.does(applied, **step(command, number))) == []


def test_what_must_not_be_done_fails_its_host_with_the_reason(fleet):
    hosts = fleet(shared)
    for name in HOSTS:
        reason = f"'{name}: the proxy stays, blog uses it'"
        hosts.servers[name].knows(f"printf '%s\\n' {reason} 'Nothing was changed.' >&2; exit 1", is_success=False)
    assert failed(hosts.does(plan.allowed, decide=proxy_tasks.remove)) == list(HOSTS)
    assert failed(fleet(deployed).does(plan.allowed, decide=proxy_tasks.remove)) == []


def test_a_login_sends_the_password_each_time_on_standard_input(fleet):
    hosts = fleet(deployed)
    command = with_functions(f"{log_in(None, 'acme')} > /dev/null")
    for name in HOSTS:
        hosts.servers[name].knows(command, err=["unauthorized"], is_success=False)
    for _ in range(2):
        assert failed(hosts.does(applied, **step("registry login"))) == list(HOSTS)
    assert hosts.commands(OTHER) == [command] * 2
    assert hosts.servers[OTHER].typed == ["14\nregistry-hush\n"] * 2
    assert "registry-hush" not in "\n".join(hosts.printed)


def test_a_login_takes_no_snapshot(fleet):
    hosts = fleet(deployed)
    command = with_functions(f"{log_in(None, 'acme')} > /dev/null")
    for name in HOSTS:
        hosts.servers[name].snapshot = "(none is expected)"
        hosts.servers[name].knows(command)
    assert changed(hosts.does(applied, **step("registry login"))) == list(HOSTS)
    assert hosts.commands(OTHER) == [command]


def test_a_logout_happens_once(fleet, run):
    hosts = fleet(deployed)
    for name in HOSTS:
        hosts.servers[name].knows("docker logout > /dev/null", then=fresh(run, name))
    assert changed(hosts.does(applied, **step("registry logout"))) == list(HOSTS)
    assert changed(hosts.does(applied, **step("registry logout"))) == []


def assert_removed_once(hosts, run, command, number):
    """The step of `kp remove` with this number does this, and nothing more where that is done."""
    hosts.servers[OTHER].knows(command, then=gone(run, OTHER))
    assert changed(hosts.does(applied, [OTHER], **step("remove", number))) == [OTHER]
    assert hosts.commands(OTHER) == [command]
    assert changed(hosts.does(applied, [OTHER], **step("remove", number))) == []


def test_the_app_goes_running_containers_stopped_first(fleet, run):
    hosts = fleet(retired, replace(run, command="remove"))
    command = guarded(
        "docker stop shop-web-v2 > /dev/null && docker rm shop-web-v2 shop-web-v1 > /dev/null && "
        f"{AUDIT.format('[web] Removed all app containers')} && "
        "docker rmi acme/shop:latest acme/shop:v1 acme/shop:v2 > /dev/null && "
        f"{AUDIT.format('Removed all app images')}",
        seconds=300,
    )
    assert_removed_once(hosts, run, command, 0)


def test_secrets_cords_and_assets_go(fleet, run):
    hosts = fleet(deployed)
    assets = " ".join(f".kamal/assets/{kind}/shop-web-v2" for kind in ("extracted", "volumes"))
    command = guarded(
        f"rm -f .kamal/env/roles/shop-web.env && {AUDIT.format('Deleted env files')}"
        f" && rm -rf .kamal/cords/shop-web-{run.run_id} {assets}",
        seconds=300,
    )
    assert_removed_once(hosts, run, command, 1)


def test_the_login_goes_unless_a_neighbour_needs_it(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[OTHER].knows("docker logout > /dev/null", then=gone(run, OTHER))
    assert changed(hosts.does(applied, [OTHER], **step("remove"))) == [OTHER]
    assert changed(hosts.does(applied, [OTHER], **step("remove"))) == []
    assert changed(fleet(shared).does(applied, **step("remove"))) == []


def test_a_purge_takes_the_log_and_empty_folders_unless_somebody_lives_there(fleet):
    log = "rm -f .kamal/shop-audit.log"
    alone, beside = fleet(gone), fleet(lambda run, host: replace(shared(run, host), files=gone(run, host).files))
    for name in HOSTS:
        alone.servers[name].knows(f"{log} && {{ [ ! -d .kamal ] || find .kamal -depth -type d -empty -delete; }}")
        beside.servers[name].knows(log)
    assert changed(alone.does(purged)) == list(HOSTS)
    assert changed(beside.does(purged)) == list(HOSTS)
