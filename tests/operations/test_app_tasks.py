"""The app as it is: each operation sends its commands once, or nothing where it holds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from kamal_pyinfra.operations.apply import applied
from kamal_pyinfra.operations.host import INSTALL_SECONDS
from kamal_pyinfra.plan.diff.proxy import started_gates
from kamal_pyinfra.plan.state.observed import Docker, Status
from kamal_pyinfra.plan.tasks import app as decisions
from kamal_pyinfra.shell import rollout
from kamal_pyinfra.shell.drain import drain, stop
from kamal_pyinfra.shell.script import guarded
from tests.operations.conftest import HOSTS, OTHER, PRIMARY, deployed, fresh, retired, step
from tests.operations.fleet import changed, failed

AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] [{}] {}' >> .kamal/shop-audit.log"
START = partial(decisions.start, version=None)

FOLDERS = "( umask 022 && mkdir -p .kamal .kamal/locks .kamal/env/roles ) && chmod 700 .kamal/env/roles"


def out_of_service(run, host):
    seen = deployed(run, host)
    ours = tuple(replace(c, status=Status.EXITED) if c.role else c for c in seen.containers)
    return replace(seen, containers=ours, cords=dict.fromkeys(seen.cords, False))


def test_stop_drains_then_stops_and_is_audited_by_role(fleet, run):
    hosts = fleet(deployed)
    stops = {name: decisions.stop(run, hosts.servers[name].observed).changes for name in HOSTS}
    assert [change.name for change in stops[PRIMARY]] == ["shop-web-v2", "shop-job-v2"]
    for name in HOSTS:
        roles = [change.role for change in stops[name]]
        audits = [AUDIT.format(role, "Stopped app") for role in roles]
        stopped = " && ".join([stop(stops[name]), *audits])
        seconds = sum(each.drain_timeout for each in stops[name]) + 70
        draining = guarded(drain(stops[name], then=stopped), seconds=seconds, key="drain_timeout")
        hosts.servers[name].knows(draining, then=out_of_service(run, name))
    does = partial(hosts.does, applied, **step("app stop"))
    assert changed(does()) == list(HOSTS)
    assert len(hosts.commands(OTHER)) == 1
    assert changed(does()) == []


def test_start_ties_the_cords_waits_and_is_audited_by_role(fleet, run):
    hosts = fleet(out_of_service)
    for name in HOSTS:
        changes = START(run, hosts.servers[name].observed).changes
        audits = [AUDIT.format(change.role, "Started app version v2") for change in changes]
        seconds = sum(change.deadline + change.readiness_delay for change in changes) + 60
        gates = started_gates({change.name for change in changes}, hosts.servers[name].observed)
        script = rollout.start_and_await(changes, audits, gates)
        assert script.index("tie_cord") < script.index("docker start") < script.index("await_ready shop-web-v2")
        hosts.servers[name].knows(guarded(script, seconds=seconds, key="deploy_timeout"), then=deployed(run, name))
    assert changed(hosts.does(applied, **step("app start", version=None))) == list(HOSTS)
    assert changed(hosts.does(applied, **step("app start", version=None))) == []


def test_stopped_containers_go_by_name(fleet, run):
    hosts = fleet(retired)
    message = "Removed all app containers"
    for name in HOSTS:
        roles = ("web", "job") if name == PRIMARY else ("web",)
        containers = " ".join(f"shop-{role}-v1" for role in roles)
        audits = [AUDIT.format(role, message) for role in roles]
        script = " && ".join([f"docker rm {containers} > /dev/null", *audits])
        hosts.servers[name].knows(guarded(script, seconds=300), then=deployed(run, name))
    does = partial(hosts.does, applied, **step("app remove_containers"))
    assert changed(does()) == list(HOSTS)
    assert changed(does()) == []


def test_bootstrap_makes_the_folders_of_a_host_that_has_docker(fleet, run):
    hosts = fleet(fresh)
    for name in HOSTS:
        hosts.servers[name].knows(FOLDERS, then=deployed(run, name))
    assert changed(hosts.does(applied, **step("server bootstrap"))) == list(HOSTS)
    assert changed(hosts.does(applied, **step("server bootstrap"))) == []


def test_bootstrap_says_on_which_host_the_user_may_not_install_docker(fleet, run):
    hosts = fleet(lambda run, host: replace(fresh(run, host), docker=Docker(installed=host == OTHER)))
    said = "Docker is missing, and deploy is neither root nor may use sudo without password"
    hosts.servers[PRIMARY].knows(guarded("install_docker", seconds=INSTALL_SECONDS), err=[said], is_success=False)
    hosts.servers[OTHER].knows(FOLDERS, then=deployed(run, OTHER))
    assert failed(hosts.does(applied, **step("server bootstrap"))) == [PRIMARY]
    assert any(PRIMARY in line and said in line for line in hosts.printed)
    assert hosts.commands(OTHER) == [FOLDERS]
