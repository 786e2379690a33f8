"""The zero-downtime sequence: what is asked of Docker, call by call."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Iterator

import pytest

from kamal_pyinfra.plan.changes import ReplaceContainer
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.shell import rollout
from kamal_pyinfra.shell.drain import drain, ending, stand_by, stop
from kamal_pyinfra.shell.proxy.traefik import await_served
from kamal_pyinfra.shell.script import functions
from tests.shell import builders
from tests.shell.fake_host import Answer, FakeHost, template

CONTAINER = builders.app_container()
NEW = "shop-web-v2"
OLD = "shop-web-v1"
JOB = "shop-job-v2"
RUN_ID = builders.RUN_ID[:12]
BOOTING = "fedcba987654"  # another test may be taking RUN_ID's containers back, and would wait for these to boot
REPLACED = f"{NEW}_replaced_{builders.SUFFIX}"
AUDIT = "echo booted >> audit.log"
RUN_ARGUMENTS = (
    f"run --detach --restart unless-stopped --name {NEW} --hostname 192.0.2.1-0123456789ab"
    f" -e KAMAL_CONTAINER_NAME={NEW} -e KAMAL_VERSION=v2 --env-file .kamal/env/roles/shop-web.env"
    " --health-cmd true --health-interval 1s --volume HOME/.kamal/cords/shop-web-new:/tmp/kamal-cord:ro"
    " --label service=shop --label traefik.enable=false --label kp.digest=d1 acme/shop:v2"
)


GONE = Answer(err="Error: No such object", code=1)
SILENT = Answer(err="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", code=1)


@pytest.fixture
def docker(host: FakeHost) -> FakeHost:
    """A host without proxy on which the new container gets healthy at the second look."""
    host.docker(RUN_ARGUMENTS.replace("HOME", str(host.home)), "0123abcd")
    host.docker(f"inspect --format STATE {NEW}", "running starting 0", "running healthy 0")
    host.docker(f"inspect --format STATE {OLD}", "running healthy 0")
    for name, address in ((NEW, "172.17.0.4"), (OLD, "172.17.0.3")):
        only_it = Answer(f"/{name} true healthy {address}", err="No such object: traefik", code=1)
        host.docker(f"inspect --format NOTED traefik {name}", only_it)
    for name in (NEW, OLD):
        host.docker(f"inspect --format SERVING {name}", "healthy", "unhealthy")
        host.docker(f"inspect --format ID {name}", "0123abcd")
        for command in ("start", "stop", "stop -t 30", "rm -f"):
            host.docker(f"{command} {name}", name)
    host.docker(f"rename {NEW} {REPLACED}")
    host.docker(f"inspect --format ID {REPLACED}", GONE)
    host.docker("version", "Client: Docker Engine")
    return host


def calls(docker: FakeHost, text: str) -> list[str]:
    return text.replace(str(docker.home), "HOME").splitlines()


def boot(*changes, audits=(AUDIT,)):
    return rollout.boot(changes, run_id=BOOTING, suffix=builders.SUFFIX, audits=audits)


def test_docker_is_asked_once_it_has_checked_a_container_for_the_first_time(docker):
    """Its first check comes 0.2 s after the start; what is only waited for may be healthy already."""
    docker.docker(f"inspect --format STATE {NEW}", "running healthy 0")
    docker.docker(f"inspect --format STATE {JOB}", "running none 0")
    docker.docker(f"start {JOB}")
    docker.docker(f"inspect --format {{{{.State.Pid}}}} {JOB}", "1")
    without_check = builders.restart(None, name=JOB, health=None, readiness_delay=0)
    for changes, seconds in (
        ([builders.boot()], 0.2),
        ([builders.restart()], 0.4),
        ([builders.wait_for()], 0.4),
        ([without_check], 0.4),
        ([builders.boot(), builders.restart(), without_check], 0.6),
    ):
        assert docker.run(boot(*changes, audits=[AUDIT] * len(changes))).seconds == pytest.approx(seconds)


def test_an_old_container_stands_by_for_a_minute_where_its_cord_is_tied(host):
    tied, cut, gone = (host.home / ".kamal/cords" / name for name in ("tied", "cut", "gone"))
    for folder in (tied, cut):
        folder.mkdir(parents=True)
    (tied / "cord").touch()
    stops = [builders.stop(cord=cord and f".kamal/cords/{cord}") for cord in ("tied", "cut", "gone", None)]
    ran = host.run(stand_by(stops))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tied / "standby").read_text() == "1060\n"
    assert not (cut / "standby").exists()
    assert not gone.exists()


def test_a_folder_that_cannot_be_written_does_not_stop_a_boot(host):
    (host.home / "cord/standby").mkdir(parents=True)
    (host.home / "cord/cord").touch()
    ran = host.run(f"{stand_by([builders.stop(cord='cord')])} && echo on")
    assert (ran.code, ran.out, ran.err) == (0, "on\n", "")


@pytest.mark.parametrize("act", ["tie_cord", "cut_cord"])
def test_who_ties_or_cuts_a_cord_lets_nobody_stand_by(host, act):
    (host.home / "cord").mkdir()
    (host.home / "cord/cord").touch()
    host.run("stand_by cord")
    assert (host.home / "cord/standby").exists()
    host.run(f"{act} cord")
    assert not (host.home / "cord/standby").exists()


AWAITED = [f"docker inspect --format STATE {NEW}"] * 2
SERVED = [f"docker inspect --format NOTED traefik {NEW}"]


def test_a_new_container_runs_beside_the_old_with_its_cord_tied(docker):
    ran = docker.run(boot(builders.boot()))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert calls(docker, ran.calls) == [f"docker {RUN_ARGUMENTS}", *AWAITED]
    assert (docker.home / ".kamal/cords/shop-web-new/cord").exists()
    assert (docker.home / "audit.log").read_text() == "booted\n"


PID = f"inspect --format {{{{.State.Pid}}}} {NEW}"
CORD = ".kamal/cords/shop-web-new/cord"


@pytest.fixture(params=[(socket.AF_INET, ""), (socket.AF_INET6, "::")], ids=["IPv4", "IPv6"])
def listening(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which this process listens, at every address."""
    family, address = request.param
    with socket.create_server((address, 0), family=family) as server:
        yield server.getsockname()[1]


def test_a_container_that_has_to_listen_gets_its_cord_once_it_does(docker, listening):
    docker.docker(PID, str(os.getpid()))
    ran = docker.run(boot(builders.boot(awaited_port=str(listening))))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert calls(docker, ran.calls) == [f"docker {RUN_ARGUMENTS}", f"docker {PID}", *AWAITED]
    assert (docker.home / CORD).exists()


def test_without_a_port_in_the_labels_it_is_the_lowest_that_the_image_exposes(docker, listening):
    docker.docker(PID, str(os.getpid()))
    docker.docker(f"inspect --format {template('await_port', 1)} {NEW}", f"65535/tcp\n{listening}/tcp\n\n")
    assert docker.run(boot(builders.boot(awaited_port=""))).code == 0
    assert (docker.home / CORD).exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"])
def test_one_that_does_not_listen_for_others_never_gets_its_cord(docker, address):
    """The loopback is reached by its own health check, and by nobody else."""
    docker.docker(PID, str(os.getpid()))
    docker.docker(f"inspect --format PROBE {NEW}")
    docker.docker(f"logs --tail 50 {NEW}", "listening")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        ran = docker.run(boot(builders.boot(awaited_port=str(port), deadline=1)))
    assert (ran.code, ran.seconds) == (1, pytest.approx(1.2))
    assert ran.err.startswith(f"{NEW}: nothing listens on port {port}, where the proxy would ask it (but on: ")
    assert "last lines of its log:\nlistening\n" in ran.err
    assert not (docker.home / CORD).exists()
    assert not (docker.home / "audit.log").exists()


@pytest.mark.parametrize(("pid", "exposed"), [("0", "3000/tcp"), ("999999999", "3000/tcp"), ("ours", "")])
def test_what_the_host_cannot_see_is_left_to_the_gate(docker, pid, exposed):
    """No port, a process that has ended or may not be seen: it becomes healthy, and the proxy is asked."""
    docker.docker(PID, str(os.getpid()) if pid == "ours" else pid)
    docker.docker(f"inspect --format {template('await_port', 1)} {NEW}", exposed)
    assert docker.run(boot(builders.boot(awaited_port=""))).code == 0
    assert (docker.home / CORD).exists()


def test_the_gate_looks_once_at_every_container(docker):
    docker.docker(f"inspect --format STATE {JOB}", "running none 0")
    docker.docker(f"inspect --format STATE {NEW}", "running healthy 0")
    job = builders.boot(**builders.JOB)
    ran = docker.run(rollout.gate([builders.boot(), job]))
    assert (ran.code, ran.err) == (0, "")
    looks = [f"docker inspect --format STATE {name}" for name in (NEW, JOB)]
    assert calls(docker, ran.calls) == looks


def test_a_container_of_the_same_name_steps_aside(docker):
    ran = docker.run(boot(builders.replace()))
    assert calls(docker, ran.calls) == [f"docker rename {NEW} {REPLACED}", f"docker {RUN_ARGUMENTS}", *AWAITED]


FIRST = "shop-job-v1"


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (builders.boot(), [f"docker {RUN_ARGUMENTS}"]),
        (builders.restart(cord=None), [f"docker start {NEW}"]),
        (builders.replace(), [f"docker {RUN_ARGUMENTS}"]),
    ],
    ids=["boot", "restart", "replace"],
)
def test_what_has_the_same_address_is_stopped_before_its_successor_starts(docker, change, start):
    docker.docker(f"stop {FIRST}")
    ran = docker.run(boot(dataclasses.replace(change, stops_first=(FIRST,))))
    assert (ran.code, ran.err) == (0, "")
    renamed = [f"docker rename {NEW} {REPLACED}"] if isinstance(change, ReplaceContainer) else []
    assert calls(docker, ran.calls) == [*renamed, f"docker stop {FIRST}", *start, *AWAITED]


def test_a_retained_container_starts_with_its_own_cord_tied_again(docker):
    cord = docker.home / "its own cord"
    ran = docker.run(boot(builders.restart(cord=str(cord))))
    assert calls(docker, ran.calls) == [f"docker start {NEW}", *AWAITED]
    assert (cord / "cord").exists()
    assert not (docker.home / ".kamal/cords/shop-web-new").exists()


def test_a_container_that_runs_already_is_only_waited_for(docker):
    assert calls(docker, docker.run(boot(builders.wait_for())).calls) == AWAITED


ID = "a1" * 32
ON = f"{{}} {ID} bridge {'b2' * 32} \n--api\n"
EDGE = ON.format("edge edge")
ANY = (
    f"{NEW}: the proxy would take any of its networks, and is not on all of them: it would be on {{}}, "
    "the proxy is on edge bridge \n"
)
LABEL = "name the one to take with the label traefik.docker.network\n"
NONE = f"{NEW}: the proxy cannot reach it: it would be on {{}}, the proxy is on edge bridge \n"


@pytest.mark.parametrize(
    ("there", "chosen", "networks", "error"),
    [
        (EDGE, "", "edge", ""),
        (EDGE, "", ID[:12], ""),
        (EDGE, "", "edg", NONE.format("edg")),
        (EDGE, "", "private", NONE.format("private")),
        (EDGE, "", "bridge edge", ""),
        (EDGE, "", "private edge", ANY.format("private edge") + LABEL),
        (EDGE, "edge", "private edge", ""),
        (EDGE, "private", "private edge", NONE.format("private")),
        (EDGE, "elsewhere", "private edge", ANY.format("private edge") + LABEL),
        (f"{EDGE}--providers.docker.network=edge\n", "", "private edge", ""),
        (f"{EDGE}--Providers.Docker.Network=private\n", "edge", "private edge", ""),
        (f"host host {ID} \n", "", "private other", ""),
    ],
)
def test_a_container_is_only_started_on_networks_by_which_the_proxy_reaches_it(docker, there, chosen, networks, error):
    """Of several networks Traefik takes another one each time; one that it is not on would lose requests."""
    docker.docker("inspect --format SHARED traefik", there)
    ran = docker.run(f"{functions('share_network')}share_network {NEW} '{chosen}' {networks}")
    assert (ran.code, ran.err) == (1 if error else 0, error)


def test_a_container_that_does_not_get_ready_is_not_in_the_audit_log_and_fails_the_script(docker):
    docker.docker(f"inspect --format STATE {NEW}", "exited none 0")
    docker.docker(f"inspect --format PROBE {NEW}")
    docker.docker(f"logs --tail 50 {NEW}", "bye")
    ran = docker.run(boot(builders.boot()))
    assert ran.code == 1
    assert not (docker.home / "audit.log").exists()
    assert calls(docker, ran.calls)[-1] == f"docker logs --tail 50 {NEW}"


def test_a_container_that_cannot_be_created_is_not_waited_for(docker):
    call = RUN_ARGUMENTS.replace("HOME", str(docker.home))
    docker.docker(call, Answer(err="docker: Error response from daemon: Conflict.", code=125))
    ran = docker.run(boot(builders.boot()))
    assert (ran.code, ran.err) == (125, "docker: Error response from daemon: Conflict.\n")
    assert calls(docker, ran.calls) == [f"docker {RUN_ARGUMENTS}"]


def test_all_are_started_before_any_is_waited_for(docker):
    other = builders.restart(cord=None, name=OLD)
    ran = docker.run(boot(builders.boot(), other, audits=(AUDIT, AUDIT)))
    assert calls(docker, ran.calls)[:4] == [
        f"docker {RUN_ARGUMENTS}",
        f"docker start {OLD}",
        f"docker inspect --format STATE {NEW}",
        f"docker inspect --format STATE {NEW}",
    ]
    assert (docker.home / "audit.log").read_text() == "booted\nbooted\n"


def test_an_old_container_is_drained_by_cutting_its_cord_and_its_folder_stays(docker):
    cord = docker.home / "old cord"
    cord.mkdir()
    (cord / "cord").touch()
    ran = docker.run(drain([builders.stop(cord=str(cord))]))
    assert (ran.code, ran.err) == (0, "")
    assert calls(docker, ran.calls) == [
        f"docker inspect --format NOTED traefik {OLD}",
        f"docker inspect --format SERVING {OLD}",
        f"docker inspect --format SERVING {OLD}",
    ]
    assert list(cord.iterdir()) == []


@pytest.mark.parametrize("aside", ["false", "sleep 1; touch noted"])
def test_something_else_is_done_while_docker_is_waited_for_and_its_end_does_not_count(docker, aside):
    cord = docker.home / "old"
    cord.mkdir()
    (cord / "cord").touch()
    ran = docker.run(drain([builders.stop(cord=str(cord))], meanwhile=aside))
    assert (ran.code, ran.err, list(cord.iterdir())) == (0, "", [])
    assert (docker.home / "noted").exists() == (aside != "false")


def test_a_drain_that_fails_fails_whatever_is_done_beside_it(docker):
    script = drain([builders.stop("gone", cord=str(docker.home / "old"))], meanwhile="touch noted")
    docker.docker("inspect --format NOTED traefik gone", Answer(code=1))
    docker.docker("inspect --format SERVING gone", Answer(code=1))
    docker.docker("stop gone", Answer(code=1))
    assert (docker.run(script).code, (docker.home / "noted").exists()) == (1, True)


@pytest.mark.parametrize("then", ["", f"docker stop {OLD} other > /dev/null && touch marked"])
def test_a_container_that_does_not_want_to_go_is_stopped_when_its_time_is_over(docker, then):
    """Its health check is its own word: one that stays healthy must not serve on beside its successor."""
    cord = docker.home / "old"
    cord.mkdir()
    (cord / "cord").touch()
    docker.docker(f"inspect --format SERVING {OLD}", "healthy")
    docker.docker(f"stop -t 3 {OLD}")
    docker.docker(f"stop {OLD} other")
    ran = docker.run(drain([builders.stop(cord=str(cord), timeout=3)], meanwhile="touch noted", then=then))
    assert (ran.code, ran.err) == (
        75,
        f"{OLD}: still healthy 34 s after its cord was cut\n"
        f"{OLD} was stopped all the same: it was in traffic until then, and requests to it may have failed\n",
    )
    assert 34 <= ran.seconds < 60
    stops = [call for call in calls(docker, ran.calls) if call.startswith("docker stop")]
    assert stops == [f"docker stop -t 3 {OLD}", *([f"docker stop {OLD} other"] if then else [])]
    assert (docker.home / "noted").exists()
    assert (docker.home / "marked").exists() == bool(then)


def test_what_cannot_be_stopped_fails_and_nothing_follows(docker):
    docker.docker(f"inspect --format SERVING {OLD}", Answer(err="Cannot connect to the Docker daemon", code=1))
    docker.docker(f"stop {OLD}", Answer(err="Cannot connect to the Docker daemon", code=1))
    ran = docker.run(drain([builders.stop(cord=str(docker.home / "old"))], then="touch marked"))
    assert ran.code == 1
    assert not (docker.home / "marked").exists()


@pytest.mark.parametrize(("code", "follows"), [(0, True), (75, True), (1, False), (124, False)])
def test_leftovers_go_also_where_a_container_had_to_be_stopped(host, code, follows):
    """The last line tells it from all other failures, and is not there where something else failed as well."""
    for end, wanted in (("true", code), ("false", 1 if follows else code)):
        ran = host.run(ending(f"( exit {code} )", f"{{ touch cleaned; {end}; }}", forced="it was forced"))
        assert (ran.code, (host.home / "cleaned").exists()) == (wanted, follows)
        assert ran.err == ("it was forced\n" if wanted == 75 else "")
    ran = host.run(ending(f"( exit {code} )", "", forced="it was forced"))
    assert (ran.code, ran.err) == (code, "it was forced\n" if code == 75 else "")


def test_where_nothing_is_drained_the_other_thing_is_done_too(docker):
    assert docker.run(drain([], meanwhile="touch noted; false")).code == 0
    assert (docker.home / "noted").exists()


def test_the_proxy_is_asked_for_new_containers_and_for_nothing_else(docker):
    assert calls(docker, docker.run(await_served([Gate(container=NEW)])).calls) == SERVED
    assert await_served([]) == ""


def test_what_has_no_cord_is_not_drained():
    assert drain([builders.stop(cord=None)]) == ""
    assert drain([]) == ""


def test_containers_with_one_timeout_are_stopped_by_one_call():
    changes = [builders.stop("a"), builders.stop("b"), builders.stop("c", timeout=30)]
    assert stop(changes) == "docker stop a b > /dev/null && docker stop -t 30 c > /dev/null"


def revert(*boots, stops=()):
    return rollout.revert(boots, stops, run_id=RUN_ID, suffix=builders.SUFFIX)


REVIVED = [
    "docker version",
    f"docker inspect --format ID {OLD}",
    f"docker start {OLD}",
    f"docker inspect --format STATE {OLD}",
]
DRAINED = [
    f"docker inspect --format HOSTNAME {NEW}",
    f"docker inspect --format NOTED traefik {NEW}",
    f"docker inspect --format HOSTNAME {NEW}",
    f"docker inspect --format SERVING {NEW}",
    f"docker inspect --format SERVING {NEW}",
]

NOTHING_UNDONE = [
    *[f"docker inspect --format HOSTNAME {NEW}"] * 3,
    f"docker inspect --format ID {REPLACED}",
]


def test_the_old_container_serves_again_before_the_new_one_is_drained_and_removed(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    docker.run(boot(builders.boot()))
    old_cord = docker.home / "old cord"
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=str(old_cord))]))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert calls(docker, ran.calls) == [
        *REVIVED,
        *DRAINED,
        f"docker inspect --format HOSTNAME {NEW}",
        f"docker stop {NEW}",
        f"docker rm -f {NEW}",
        f"docker inspect --format ID {REPLACED}",
    ]
    assert (old_cord / "cord").exists()
    assert not (docker.home / ".kamal/cords/shop-web-new").exists()


def test_a_container_of_another_run_is_neither_drained_nor_taken_away(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", "192.0.2.1-ffffffffffff")
    ran = docker.run(revert(builders.boot()))
    assert (ran.code, ran.err, ran.seconds) == (0, "", 0)
    assert calls(docker, ran.calls) == ["docker version", *NOTHING_UNDONE]


def test_a_container_that_was_to_be_replaced_and_was_not_yet_serves_on(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", "192.0.2.1-ffffffffffff")
    old_cord = docker.home / "old cord"
    ran = docker.run(revert(builders.replace(), stops=[builders.stop(REPLACED, cord=str(old_cord))]))
    assert (ran.code, ran.err, ran.seconds) == (0, "", 0)
    assert calls(docker, ran.calls) == [
        "docker version",
        f"docker inspect --format ID {REPLACED}",
        *NOTHING_UNDONE,
    ]


def test_what_was_not_begun_is_not_undone(docker):
    for call in (f"ID {OLD}", f"NOTED traefik {NEW}", f"HOSTNAME {NEW}"):
        docker.docker(f"inspect --format {call}", GONE)
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)]))
    assert (ran.code, ran.err) == (0, "")
    assert calls(docker, ran.calls) == [
        "docker version",
        f"docker inspect --format ID {OLD}",
        *NOTHING_UNDONE,
    ]


def test_a_container_that_stepped_aside_for_one_that_could_not_be_created_gets_its_name_back(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", GONE)
    docker.docker(f"inspect --format ID {REPLACED}", "0123abcd")
    docker.docker(f"start {REPLACED}", REPLACED)
    docker.docker(f"inspect --format STATE {REPLACED}", "running healthy 0")
    docker.docker(f"rename {REPLACED} {NEW}")
    ran = docker.run(revert(builders.replace(), stops=[builders.stop(REPLACED, cord=None)]))
    assert (ran.code, ran.err) == (0, "")
    assert calls(docker, ran.calls)[-1] == f"docker rename {REPLACED} {NEW}"


def test_what_was_stopped_first_starts_again_once_the_new_container_has_left_its_address(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    change = dataclasses.replace(builders.boot(**builders.JOB | {"name": NEW}), stops_first=(OLD,))
    ran = docker.run(revert(change, stops=[builders.stop(cord=None)]))
    assert (ran.code, ran.err) == (0, "")
    assert calls(docker, ran.calls) == [
        "docker version",
        f"docker inspect --format HOSTNAME {NEW}",
        f"docker stop {NEW}",
        f"docker rm -f {NEW}",
        f"docker inspect --format ID {REPLACED}",
        *REVIVED[1:],
    ]


def test_one_that_also_stepped_aside_starts_again_under_its_own_name(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}", "192.0.2.1-ffffffffffff")
    docker.docker(f"inspect --format ID {REPLACED}", "0123abcd")
    docker.docker(f"rename {REPLACED} {NEW}")
    docker.docker(f"inspect --format STATE {NEW}", "running none 0")
    change = dataclasses.replace(builders.replace(), stops_first=(REPLACED,))
    ran = docker.run(revert(change, stops=[builders.stop(REPLACED, cord=None)]))
    assert (ran.code, ran.err) == (0, "")
    assert (
        calls(docker, ran.calls)[4:]
        == [
            f"docker inspect --format ID {REPLACED}",
            f"docker rename {REPLACED} {NEW}",
            f"docker inspect --format ID {NEW}",
            f"docker start {NEW}",
            f"docker inspect --format STATE {NEW}",
        ][1 if "docker rm" in calls(docker, ran.calls)[4] else 0 :]
    )


def test_a_restarted_container_is_stopped_again_and_stays(docker):
    cord = docker.home / "cord"
    ran = docker.run(revert(builders.restart(cord=str(cord), stop_timeout=30)))
    assert calls(docker, ran.calls) == [
        "docker version",
        f"docker inspect --format NOTED traefik {NEW}",
        f"docker inspect --format ID {NEW}",
        *[f"docker inspect --format SERVING {NEW}"] * 2,
        f"docker inspect --format ID {NEW}",
        f"docker stop -t 30 {NEW}",
    ]


def test_the_stop_timeout_holds_when_a_new_container_is_taken_away(docker):
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    ran = docker.run(revert(builders.boot(stop_timeout=30)))
    assert f"docker stop -t 30 {NEW}" in calls(docker, ran.calls)


def test_a_container_that_was_only_waited_for_stays(docker):
    assert docker.run(revert(builders.wait_for())).calls == ""


def test_an_old_container_that_does_not_come_back_does_not_keep_a_failed_new_one_on_the_host(docker):
    docker.docker(f"start {OLD}", Answer(err="Error: port is taken", code=1))
    docker.docker(f"inspect --format STATE {OLD}", "exited none 0")
    docker.docker(f"inspect --format PROBE {OLD}")
    docker.docker(f"logs --tail 20 {OLD}", "bye")
    docker.docker(f"inspect --format NOTED traefik {NEW}", f"/{NEW} true unhealthy 172.17.0.4")
    docker.docker(f"inspect --format SERVING {NEW}", "unhealthy")
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)]))
    assert f"docker rm -f {NEW}" in calls(docker, ran.calls)
    assert "port is taken" in ran.err


def test_an_old_container_that_does_not_come_back_keeps_a_new_one_that_serves(docker):
    docker.docker(f"start {OLD}", Answer(err="Error: port is taken", code=1))
    docker.docker(f"inspect --format SERVING {NEW}", "healthy")
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)]))
    assert ran.code == 1
    assert "an old container did not come back; shop-web-v2 stays" in ran.err
    assert not any(call.startswith(("docker stop", "docker rm")) for call in calls(docker, ran.calls))


def test_a_container_that_restarted_long_ago_may_be_waited_for(docker):
    docker.docker(f"inspect --format STATE {NEW}", "running starting 3", "running healthy 3")
    ran = docker.run(rollout.boot([builders.wait_for()], run_id=BOOTING, suffix=builders.SUFFIX, audits=["true"]))
    assert ran.code == 0


def test_an_engine_that_comes_back_in_time_lets_all_be_taken_back(docker):
    docker.docker("version", SILENT, SILENT, "Client: Docker Engine")
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)]))
    assert (ran.code, ran.err, ran.seconds >= 2) == (0, "", True)
    assert f"docker rm -f {NEW}" in calls(docker, ran.calls)


def test_an_engine_that_does_not_come_back_is_no_host_without_containers(docker):
    docker.docker("version", SILENT)
    ran = docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)]))
    assert (ran.code, ran.out, ran.err) == (1, "", f"{SILENT.err}\nDocker does not answer\n")
    assert set(calls(docker, ran.calls)) == {"docker version"}


ASKED = {
    "the old container": (f"inspect --format ID {OLD}", [builders.boot()], [builders.stop(cord=None)]),
    "whose the new container is": (f"inspect --format HOSTNAME {NEW}", [builders.boot()], []),
    "what stepped aside": (f"inspect --format ID {REPLACED}", [builders.replace()], []),
    "a container that was restarted": (f"inspect --format ID {NEW}", [builders.restart()], []),
    "the end of one": (f"stop {NEW}", [builders.restart()], []),
    "the end of one, with its time": (f"stop -t 30 {NEW}", [builders.restart(stop_timeout=30)], []),
    "the new container's removal": (f"rm -f {NEW}", [builders.boot()], []),
    "the old name": (f"rename {REPLACED} {NEW}", [builders.replace()], []),
}


@pytest.mark.parametrize("asked", ASKED)
def test_an_engine_that_goes_while_it_is_asked_is_no_answer(docker, asked):
    call, boots, stops = ASKED[asked]
    docker.docker(f"inspect --format HOSTNAME {NEW}", f"192.0.2.1-{RUN_ID}")
    docker.docker(f"inspect --format ID {REPLACED}", "0123abcd")
    docker.docker(f"rename {REPLACED} {NEW}")
    docker.docker(call, SILENT)
    ran = docker.run(revert(*boots, stops=stops))
    assert (ran.code, SILENT.err in ran.err) == (1, True)


@pytest.mark.parametrize("said", ["Error: No such object: x", "Error response from daemon: No such container: x"])
def test_docker_says_in_more_than_one_way_that_a_container_is_not_there(docker, said):
    for call in (f"ID {OLD}", f"NOTED traefik {NEW}", f"HOSTNAME {NEW}"):
        docker.docker(f"inspect --format {call}", Answer(err=said, code=1))
    assert docker.run(revert(builders.boot(), stops=[builders.stop(cord=None)])).code == 0


def test_a_warning_of_dockers_client_is_no_answer(docker):
    warned = Answer(f"192.0.2.1-{RUN_ID}", err="WARNING: Error loading config file", code=0)
    docker.docker(f"inspect --format HOSTNAME {NEW}", warned)
    ran = docker.run(revert(builders.boot()))
    assert (ran.code, f"docker rm -f {NEW}" in calls(docker, ran.calls)) == (0, True)
