"""The release command on its host: once, heard, and gone afterwards, by a real shell."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.state.desired import ReleaseCommand
from kamal_pyinfra.shell import app as release
from kamal_pyinfra.shell.script import guarded
from tests.shell import builders
from tests.shell.fake_host import Answer, FakeHost

NAME = "shop-web-exec-v2-0123456789ab"
LIST = "ps --all --quiet --filter label=kp.release=shop --filter name=-exec-"
RUN = (
    f"run --rm --name {NAME} -e KAMAL_CONTAINER_NAME={NAME} -e KAMAL_VERSION=v2"
    " --env-file .kamal/env/roles/shop-web.env"
    " --label kp.release=shop{options} --label traefik.enable=false acme/shop:v2 bin/migrate it's all"
)


def command(timeout: int = 600, **container: object) -> ReleaseCommand:
    return ReleaseCommand(
        name=NAME,
        owner="shop",
        cmd='bin/migrate "it\'s all"',
        timeout=timeout,
        container=builders.app_container(**container),
    )


@pytest.fixture
def docker(host: FakeHost) -> FakeHost:
    host.docker(LIST, "")
    host.docker(RUN.format(options=""), "== 1 migrated\n== 2 migrated")
    return host


def test_it_runs_in_a_container_of_its_own_and_is_heard(docker):
    ran = docker.run(release.run_release(command()))
    assert (ran.code, ran.out, ran.err) == (0, "== 1 migrated\n== 2 migrated\n", "")
    assert ran.calls.splitlines() == [f"docker {LIST}", f"docker {RUN.format(options='')}"]


def test_it_has_the_options_that_two_containers_can_have(docker):
    docker.docker(RUN.format(options=" --memory 1g --network shop"), "")
    options = (
        ("memory", "1g"),
        ("publish", ("80:80", "443:443")),
        ("p", "1:1"),
        ("restart", "no"),
        ("network", "shop"),
    )
    assert docker.run(release.run_release(command(options=options))).code == 0


def test_it_fails_with_what_it_said_and_its_code(docker):
    docker.docker(RUN.format(options=""), Answer("== 1 migrated", err="relation exists", code=3))
    ran = docker.run(release.run_release(command()))
    assert ran.code == 3
    assert ran.out == "== 1 migrated\nrelation exists\nthe release command ended with exit code 3\n"


def test_what_a_killed_run_left_behind_goes_first(docker):
    docker.docker(LIST, "1234\n5678")
    docker.docker("rm -f 1234 5678", "1234")
    ran = docker.run(release.run_release(command()))
    assert ran.calls.splitlines()[:2] == [f"docker {LIST}", "docker rm -f 1234 5678"]
    assert ran.code == 0


def test_an_engine_that_does_not_answer_is_no_success(docker):
    docker.docker(LIST, Answer(err="Cannot connect to the Docker daemon", code=1))
    ran = docker.run(release.run_release(command()))
    assert (ran.code, ran.err) == (1, "Cannot connect to the Docker daemon\n")


def test_a_command_that_takes_too_long_is_killed_with_its_container(docker):
    """The limit sends TERM; the container must not go on in the dark."""
    (docker.bin / "date").unlink()  # the shell's own clock
    docker.docker(f"rm -f {NAME}", NAME)
    docker.docker(RUN.format(options=""), "== 1 migrated")
    with (docker.bin / "slow").open("w") as slow:
        slow.write("#!/bin/sh\nexec /bin/sleep 30\n")
    (docker.bin / "slow").chmod(0o755)
    script = guarded(release.run_release(command(timeout=1)), seconds=1)
    ran = docker.run(script.replace('"$@" 2>&1 &', '{ "$@" 2>&1; exec slow; } &'))
    assert ran.code == 124
    assert ran.out == "== 1 migrated\nthe release command was killed: 1 seconds are over\n"
    assert ran.calls.splitlines()[-1] == f"docker rm -f {NAME}"
