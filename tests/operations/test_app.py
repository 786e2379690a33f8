"""The zero-downtime sequence as operations: what each host gets, in which state, and that nothing comes twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyinfra.context import ctx_state

from kamal_pyinfra.deploys.revert import bring_back
from kamal_pyinfra.operations import app
from kamal_pyinfra.operations import app as finish
from kamal_pyinfra.operations.app import _record_edits
from kamal_pyinfra.operations.run_state import run_state
from kamal_pyinfra.plan.changes import StopContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.diff.proxy import boot_gates
from kamal_pyinfra.plan.fleet_state import SWITCHED, UNREACHABLE
from kamal_pyinfra.plan.state.observed import record_text
from kamal_pyinfra.shell import rollout
from kamal_pyinfra.shell.drain import drain, ending, stand_by
from kamal_pyinfra.shell.host import measured, write_secret
from kamal_pyinfra.shell.proxy.traefik import await_served
from kamal_pyinfra.shell.script import chain, group, guarded, in_parallel
from tests.operations.conftest import CONFIG, HOSTS, OTHER, PRIMARY, behind, booted, deployed, fresh, retired
from tests.operations.fleet import changed, failed
from tests.shell.builders import RUN_ID, SUFFIX, golden_config, new_run

AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] {}' >> .kamal/shop-audit.log"
SECRETS = ("registry-hush", "base-hush", "postgres-hush")


def booting(run, observed, role):
    script, waits = unguarded_boot(run, observed, role)
    return guarded(chain(standing_by(run, observed), script), seconds=waits + 60, key="deploy_timeout")


def standing_by(run, observed):
    """What lets the old container see at once that its cord is cut."""
    return stand_by(Comparison(desired_host(run, observed.host), observed).stops)


def gates(run, observed):
    """What the proxy is asked about the new containers of a host."""
    desired = desired_host(run, observed.host)
    return boot_gates(Comparison(desired, observed).boots, Comparison(desired, observed))


def unguarded_boot(run, observed, role):
    """The script, and how many seconds it may wait."""
    changes = [c for c in Comparison(desired_host(run, observed.host), observed).boots if c.role == role]
    script = rollout.boot(
        changes,
        run_id=RUN_ID[:12],
        suffix=SUFFIX,
        audits=[AUDIT.format(f"[{role}] Booted app version v2").replace("] [", "] [")],
        engine=observed.docker.version,
    )
    return script, sum(change.container.deadline + change.container.readiness_delay for change in changes)


def test_the_primary_role_boots_on_every_host_of_the_batch_and_then_no_more(fleet, run):
    hosts = fleet(behind)
    commands = {name: booting(run, hosts.servers[name].observed, "web") for name in HOSTS}
    for name in HOSTS:
        hosts.servers[name].knows(commands[name], then=booted(run, name))
    state = hosts.does(app.booted, primary=True, batch=HOSTS)
    assert {name: hosts.commands(name) for name in HOSTS} == {name: [commands[name]] for name in HOSTS}
    assert run_state(state).booting_on == set(HOSTS)
    state = hosts.does(app.booted, primary=True, batch=HOSTS)
    assert changed(state) == []
    assert run_state(state).booting_on == set()


def test_the_gate_looks_again_at_what_the_batch_booted_and_at_nothing_else(fleet, run):
    hosts = fleet(behind)
    for name in HOSTS:
        changes = Comparison(desired_host(run, name), hosts.servers[name].observed).boots
        hosts.servers[name].knows(guarded(rollout.gate(changes), seconds=60))
    assert changed(hosts.does(app.gated, batch=[PRIMARY])) == [PRIMARY]
    assert changed(fleet(booted).does(app.gated, batch=())) == []


def test_other_roles_boot_where_they_belong_while_every_proxy_takes_up_the_new_containers(fleet, run):
    hosts = fleet(behind)
    served = {name: await_served(gates(run, hosts.servers[name].observed)) for name in HOSTS}
    ready = {name: standing_by(run, hosts.servers[name].observed) for name in HOSTS}
    job = unguarded_boot(run, hosts.servers[PRIMARY].observed, "job")
    commands = {
        PRIMARY: guarded(
            chain(ready[PRIMARY], in_parallel(served[PRIMARY], job[0])), seconds=job[1] + 60, key="deploy_timeout"
        ),
        OTHER: guarded(chain(ready[OTHER], served[OTHER]), seconds=60, key="deploy_timeout"),
    }
    for name in HOSTS:
        hosts.servers[name].knows(commands[name])
    assert changed(hosts.does(app.booted, primary=False, batch=HOSTS)) == list(HOSTS)
    assert {name: hosts.commands(name) for name in HOSTS} == {name: [commands[name]] for name in HOSTS}


def test_with_one_role_the_proxy_is_awaited_by_the_command_that_boots_it(fleet):
    run = new_run(golden_config(CONFIG.replace("  job:\n    hosts: [192.0.2.1]\n    cmd: bin/jobs\n", "")), "v2")
    hosts = fleet(behind, run)
    observed = hosts.servers[OTHER].observed
    script, waits = unguarded_boot(run, observed, "web")
    serving = chain(standing_by(run, observed), script, await_served(gates(run, observed)))
    command = guarded(serving, seconds=waits + 60, key="deploy_timeout")
    hosts.servers[OTHER].knows(command)
    assert changed(hosts.does(app.booted, primary=True, batch=[OTHER])) == [OTHER]
    assert changed(hosts.does(app.booted, primary=False, batch=[OTHER])) == []


def test_only_an_old_container_with_a_cord_is_told_to_stand_by(fleet, run):
    observed = fleet(behind).servers[PRIMARY].observed
    web, job = sorted(Comparison(desired_host(run, PRIMARY), observed).stops, key=lambda change: not change.cord)
    assert (bool(web.cord), job.cord) == (True, None)
    assert standing_by(run, observed) == f"stand_by {web.cord}"
    assert standing_by(run, fleet(fresh).servers[PRIMARY].observed) == ""


def test_a_first_deploy_boots_on_a_fresh_host(fleet, run):
    hosts = fleet(fresh)
    for name in HOSTS:
        hosts.servers[name].knows(booting(run, hosts.servers[name].observed, "web"))
    assert changed(hosts.does(app.booted, primary=True, batch=HOSTS)) == list(HOSTS)


def test_a_host_outside_the_batch_is_not_even_looked_at(fleet):
    hosts = fleet(behind)
    for operation in (app.drained, app.stopped):
        assert changed(hosts.does(operation, batch=())) == []
    assert changed(hosts.does(app.booted, primary=True, batch=())) == []
    assert [hosts.commands(name) for name in HOSTS] == [[], []]
    assert not any("Loaded fact" in line for line in hosts.printed)


def test_a_container_that_does_not_get_ready_fails_its_host_alone(fleet, run):
    hosts = fleet(behind)
    for name in HOSTS:
        is_good = name == PRIMARY
        hosts.servers[name].knows(
            booting(run, hosts.servers[name].observed, "web"),
            is_success=is_good,
            err=[] if is_good else ["shop-web-v2: not healthy after 28 s"],
        )
    state = hosts.does(app.booted, primary=True, batch=HOSTS)
    assert failed(state) == [OTHER]
    assert run_state(state).booting_on == set(HOSTS)
    assert any("not healthy after 28 s" in line for line in hosts.printed)


def recorded(state):
    """The state with the mark of this very run."""

    def observed(run, host):
        seen = state(run, host)
        images = {image.reference: image for image in (*seen.images, *deployed(run, host).images)}
        record = next_record(Comparison(desired_host(run, host), seen))
        return replace(seen, images=tuple(images.values()), record=record)

    return observed


def old_ones(run, name) -> tuple[StopContainer, ...]:
    return Comparison(desired_host(run, name), booted(run, name)).stops


@pytest.mark.parametrize("watch", [{}, {"watch": 5}], ids=["at once", "watched first"])
def test_old_containers_are_drained_and_stopped_unless_the_new_ones_are_watched(fleet, watch):
    run = new_run(golden_config(f"{CONFIG}boot: {watch}\n"), "v2")
    hosts = fleet(booted, run)
    commands = {}
    for name in HOSTS:
        changes = old_ones(run, name)
        seconds = sum(change.drain_timeout for change in changes) + 10 + 60
        meanwhile = _record_edits(run, Comparison(desired_host(run, name), booted(run, name)))
        stop = "" if watch else f"docker stop {' '.join(change.name for change in changes)} > /dev/null"
        script = drain(changes, meanwhile=meanwhile, then=stop)
        script = guarded(script, seconds=seconds, key="drain_timeout")
        commands[name] = script if watch else ending(script, "", forced=SWITCHED)
        hosts.servers[name].knows(commands[name], then=retired(run, name))
    state = hosts.does(app.drained, batch=HOSTS)
    assert {name: hosts.commands(name) for name in HOSTS} == {name: [commands[name]] for name in HOSTS}
    assert run_state(state).switched == set(HOSTS)
    assert changed(hosts.does(app.drained, batch=HOSTS)) == []


def test_where_no_other_batch_can_fail_a_host_is_finished_while_its_old_containers_stop(fleet, run):
    hosts = fleet(booted)
    desired, seen = desired_host(run, OTHER), booted(run, OTHER)
    cord = ".kamal/cords/shop-web-" + "f" * 32
    leftovers = f"{cord} .kamal/assets/extracted/shop-web-v1 .kamal/assets/volumes/shop-web-v1"
    tagged = AUDIT.format("Tagging acme/shop:v2 as the latest image")
    mark = f"docker tag acme/shop:v2 acme/shop:latest && {tagged} && {write_secret('.kamal/shop-hosts.json')}"
    stop = in_parallel("docker stop shop-web-v1 > /dev/null", mark)
    script = drain(old_ones(run, OTHER), meanwhile=_record_edits(run, Comparison(desired, seen)), then=stop)
    command = (
        f'{guarded(script, seconds=104, key="drain_timeout")}; code=$?; case "$code" in 0 | 75) '
        f"{guarded(f'rm -rf {leftovers}', seconds=300)} || code=1 ;; esac; "
        f"""[ "$code" -ne 75 ] || echo 'All else that ends the run was done there.' >&2; ( exit "$code" )"""
    )
    hosts.servers[OTHER].knows(command)
    state = hosts.does(app.drained, batch=[OTHER], finishes=True)
    assert hosts.commands(OTHER) == [command]
    assert hosts.servers[OTHER].typed == [measured(record_text(next_record(Comparison(desired, seen))))]
    assert run_state(state).finished == {OTHER}


def test_old_containers_are_stopped_by_one_command_and_stay(fleet, run):
    hosts = fleet(booted)
    commands = {
        PRIMARY: guarded("docker stop shop-web-v1 shop-job-v1 > /dev/null", seconds=70, key="drain_timeout"),
        OTHER: guarded("docker stop shop-web-v1 > /dev/null", seconds=70, key="drain_timeout"),
    }
    for name in HOSTS:
        hosts.servers[name].knows(commands[name], then=retired(run, name))
    hosts.does(app.stopped, batch=HOSTS)
    assert {name: hosts.commands(name) for name in HOSTS} == {name: [commands[name]] for name in HOSTS}
    assert changed(hosts.does(app.stopped, batch=HOSTS)) == []


def test_on_a_host_that_is_up_to_date_nothing_is_done(fleet):
    hosts = fleet(recorded(deployed))
    for arguments in ({"primary": True}, {"primary": False}):
        assert changed(hosts.does(app.booted, batch=HOSTS, **arguments)) == []
    for operation in (app.drained, app.stopped):
        assert changed(hosts.does(operation, batch=HOSTS)) == []
    assert changed(hosts.does(finish.finished)) == []
    assert [hosts.commands(name) for name in HOSTS] == [[], []]


def reverted(hosts, run, names, *, booted):
    """What became of each host, once operations are over."""
    ends = []
    state = hosts.does(app.stopped, batch=())
    with ctx_state.use(state):
        failed_hosts = bring_back(state, run, names, booted=booted, on_end=lambda *end: ends.append(end))
    assert list(failed_hosts) == [host for host, is_back, _ in ends if not is_back]
    return ends


def test_a_host_that_is_not_brought_back_is_told_by_what_it_printed(fleet, run):
    hosts = fleet(behind)
    desired, observed = desired_host(run, OTHER), hosts.servers[OTHER].observed
    compared = Comparison(desired, observed)
    boots, stops = compared.boots, compared.stops
    script = rollout.revert(boots, stops, run_id=RUN_ID[:12], suffix=SUFFIX)
    command = guarded(script, seconds=sum(change.drain_timeout for change in stops) + 30 + 60)
    hosts.servers[OTHER].knows(command, is_success=False, out=["one"], err=["Docker does not answer"])
    state = hosts.does(app.stopped, batch=())
    with ctx_state.use(state):
        failed_hosts = bring_back(state, run, HOSTS, booted=(OTHER,))
    assert failed_hosts == {OTHER: ("one", "Docker does not answer")}
    state.inventory.get_host(OTHER).connected = False
    with ctx_state.use(state):
        assert bring_back(state, run, (OTHER,), booted=(OTHER,)) == {OTHER: (UNREACHABLE,)}


def test_where_nothing_was_begun_nothing_is_reverted(fleet, run):
    hosts = fleet(recorded(deployed))
    assert sorted(reverted(hosts, run, HOSTS, booted=HOSTS)) == [(name, True, False) for name in sorted(HOSTS)]
    assert [hosts.commands(name) for name in HOSTS] == [[], []]


def test_a_revert_undoes_what_the_look_before_the_boot_would_have_changed(fleet, run):
    hosts = fleet(behind)
    server = hosts.servers[OTHER]
    desired = desired_host(run, OTHER)
    boots, stops = Comparison(desired, server.observed).boots, Comparison(desired, server.observed).stops
    script = rollout.revert(boots, stops, run_id=RUN_ID[:12], suffix=SUFFIX)
    command = guarded(script, seconds=sum(change.drain_timeout for change in stops) + 30 + 60)
    server.knows(command)
    assert reverted(hosts, run, (OTHER,), booted=(OTHER,)) == [(OTHER, True, True)]
    assert (hosts.commands(PRIMARY), hosts.commands(OTHER)) == ([], [command])


def with_another_proxy(run, host):
    """The host before a run that replaces its proxy too."""
    seen = behind(run, host)
    return replace(
        seen, containers=tuple(replace(c, image="traefik:v2.10") if c.name == "traefik" else c for c in seen.containers)
    )


def test_a_run_that_replaces_the_proxy_takes_it_back_with_what_it_booted(fleet, run):
    hosts = fleet(with_another_proxy)
    server, desired = hosts.servers[OTHER], desired_host(run, OTHER)
    boots, stops = Comparison(desired, server.observed).boots, Comparison(desired, server.observed).stops
    script = rollout.revert(boots, stops, run_id=RUN_ID[:12], suffix=SUFFIX, proxy=desired.proxy)
    assert f" ; restore_proxy {desired.proxy.digest} || lost=1 ; " in script
    command = guarded(script, seconds=sum(change.drain_timeout for change in stops) + 30 + 30 + 60)
    server.knows(command)
    reverted(hosts, run, (OTHER,), booted=(OTHER,))
    assert hosts.commands(OTHER) == [command]


def test_where_nothing_but_the_proxy_is_new_it_alone_is_taken_back(fleet, run):
    hosts = fleet(with_another_proxy)
    proxy = desired_host(run, OTHER).proxy
    script = rollout.revert((), (), run_id=RUN_ID[:12], suffix=SUFFIX, proxy=proxy)
    assert script.endswith(f'await_engine ; lost= ; restore_proxy {proxy.digest} || lost=1 ; [ -z "$lost" ]')
    command = guarded(script, seconds=30 + 60)
    hosts.servers[OTHER].knows(command)
    reverted(hosts, run, (OTHER,), booted=())
    assert (hosts.commands(PRIMARY), hosts.commands(OTHER)) == ([], [command])


def test_where_the_run_ends_well_the_old_proxy_goes(fleet, run):
    def put_into_service(run, host):
        old = next(each for each in with_another_proxy(run, host).containers if each.name == "traefik")
        seen = recorded(deployed)(run, host)
        return replace(seen, containers=(*(each for each in seen.containers if each.name != "traefik"), old))

    hosts = fleet(put_into_service)
    for name in HOSTS:
        hosts.servers[name].knows(group("clear_aside"), then=recorded(deployed)(run, name))
    hosts.does(finish.finished)
    assert [hosts.commands(name) for name in HOSTS] == [[group("clear_aside")]] * 2


def test_leftovers_go_in_one_command_each_by_its_name(fleet, run):
    cord = ".kamal/cords/shop-web-" + "f" * 32
    left = recorded(lambda run, host: replace(retired(run, host), cords={**deployed(run, host).cords, cord: False}))
    hosts = fleet(left)
    folders = f"{cord} .kamal/assets/extracted/shop-web-v1 .kamal/assets/volumes/shop-web-v1"
    command = guarded(f"rm -rf {folders}", seconds=300)
    for name in HOSTS:
        hosts.servers[name].knows(command, then=recorded(deployed)(run, name))
    hosts.does(finish.finished)
    assert [hosts.commands(name) for name in HOSTS] == [[command], [command]]
    assert changed(hosts.does(finish.finished)) == []


def with_older_versions(run, host):
    """Version v1 and v0 are stopped, one may be retained."""
    seen = retired(run, host)
    old = [container for container in seen.containers if container.version == "v1"]
    older = [
        replace(
            container,
            id=f"{container.id}-0",
            name=container.name.replace("v1", "v0"),
            image="acme/shop:v0",
            created="2026-01-01T00:00:00Z".replace("2026", "2025"),
            env={**container.env, "KAMAL_VERSION": "v0"},
        )
        for container in old
    ]
    image = replace(seen.images[0], reference="acme/shop:v0", id="sha256:v0")
    return replace(
        seen,
        containers=(*seen.containers, *older),
        images=(*seen.images, image),
        cords=deployed(run, host).cords,
        assets=deployed(run, host).assets,
    )


def test_containers_beyond_those_retained_go_with_their_image(fleet, run):
    hosts = fleet(recorded(with_older_versions))
    command = guarded(
        f"docker rm shop-web-v0 > /dev/null && {AUDIT.format('Pruned containers')}"
        f" && docker rmi acme/shop:v0 > /dev/null && {AUDIT.format('Pruned images')}",
        seconds=300,
    )
    hosts.servers[OTHER].knows(command)
    hosts.servers[PRIMARY].knows(command.replace("docker rm shop-web-v0", "docker rm shop-web-v0 shop-job-v0"))
    assert changed(hosts.does(finish.finished)) == list(HOSTS)
    assert hosts.commands(OTHER) == [command]


def test_the_plan_is_printed_while_pyinfra_prepares_and_not_when_it_executes(fleet, run):
    hosts = fleet(booted)
    for name in HOSTS:
        hosts.servers[name].knows(guarded("docker stop shop-web-v1 > /dev/null", seconds=70, key="drain_timeout"))
        hosts.servers[name].knows(
            guarded("docker stop shop-web-v1 shop-job-v1 > /dev/null", seconds=70, key="drain_timeout")
        )
    hosts.does(app.stopped, batch=HOSTS)
    lines = [line for line in hosts.printed if "shop-job-v1" in line and "stops, replaced by shop-job-v2" in line]
    assert len(lines) == 1


def test_no_secret_is_in_any_command_or_output_of_the_sequence(fleet):
    hosts = fleet(booted)
    for server in hosts.servers.values():
        server.known = Everything()
    hosts.does(app.booted, primary=True, batch=HOSTS, name=None)
    hosts.does(app.drained, batch=HOSTS, name=None)
    hosts.does(app.drained, batch=HOSTS, finishes=True, name=None)
    hosts.does(app.stopped, batch=HOSTS, name=None)
    hosts.does(finish.finished, name=None)
    text = "\n".join([*hosts.printed, *(command for name in HOSTS for command in hosts.commands(name))])
    assert "docker stop" in text
    assert [secret for secret in SECRETS if secret in text] == []


class Everything(dict):
    """Any command is known."""

    def __contains__(self, command: object) -> bool:
        return True

    def __missing__(self, command: str):
        from tests.operations.fleet import Effect

        return Effect()
