"""The proxy of a host is changed by one service at a time, and only as it was seen."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.shell.proxy.container import with_proxy_lock, with_proxy_lock_if_unchanged
from kamal_pyinfra.shell.script import with_functions
from tests.shell.builders import golden_config, new_run

LOCK_FOLDER = "/run/lock"
CHANGED = "another run has changed the proxy meanwhile; run the same command again"

DOCKER = """#!/bin/sh
[ "$1 $2 $3" = "container inspect --format" ] || exit 99
[ "$5" = traefik ] || exit 99
[ -e there ] || { echo "No such container: traefik" >&2; exit 1; }
cat there
"""


@pytest.fixture
def proxy():
    config = golden_config(
        "service: shop\nimage: shop\nservers: [192.0.2.1]\nregistry: {username: a, password: [KAMAL_REGISTRY_PASSWORD]}"
    )
    return desired_host(new_run(config, "v1"), "192.0.2.1").proxy


def run(script: str, folder: Path, shell: tuple[str, ...] = ("sh",)) -> tuple[int, str, str]:
    """On a host whose engine has a socket of the user's own group, and whose folder for locks is another."""
    engine, locks = folder / "docker.sock", folder / "lock"
    if not locks.exists():
        locks.mkdir()
        locks.chmod(0o1777)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(engine))
    program = folder / "bin/docker"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(DOCKER)
        program.chmod(0o755)
    ended = subprocess.run(
        [*shell, "-c", with_functions(script).replace(LOCK_FOLDER, str(locks))],
        cwd=folder,
        env={"PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_HOST": f"unix://{engine}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("there", "seen", "answer"),
    [
        (None, "", (0, "changed\n", "")),
        ("abc old", "abc", (0, "changed\n", "")),
        ("abc ", "abc", (0, "changed\n", "")),
        ("new WANTED", "", (0, "", "")),
        ("new WANTED", "abc", (0, "", "")),
        ("abc WANTED", "abc", (0, "changed\n", "")),
        ("new other", "", (1, "", f"{CHANGED}\n")),
        ("new other", "abc", (1, "", f"{CHANGED}\n")),
        (None, "abc", (1, "", f"{CHANGED}\n")),
    ],
)
def test_a_change_is_made_only_to_what_was_seen(tmp_path, proxy, there, seen, answer):
    if there is not None:
        (tmp_path / "there").write_text(there.replace("WANTED", proxy.digest))
    assert run(with_proxy_lock_if_unchanged("echo changed", proxy=proxy, observed=seen), tmp_path) == answer


def test_of_eight_services_one_changes_it_at_a_time(tmp_path, proxy):
    run("true", tmp_path)  # the program is there
    change = with_proxy_lock("mkdir busy || exit 3; sleep 0.05; rmdir busy; echo done")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: run(change, tmp_path), range(8))) == [(0, "done\n", "")] * 8


def test_of_eight_services_that_found_none_one_makes_it(tmp_path, proxy):
    run("true", tmp_path)
    change = with_proxy_lock_if_unchanged(f"echo 'new {proxy.digest}' > there; echo made", proxy=proxy, observed="")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: run(change, tmp_path), range(8)))
    assert sorted(answers) == [(0, "", "")] * 7 + [(0, "made\n", "")]


@pytest.mark.parametrize("seen", ["", "abc"])
def test_an_engine_that_does_not_answer_has_not_been_changed_by_another_run(proxy, seen, tmp_path):
    script = with_proxy_lock_if_unchanged("echo changed", proxy=proxy, observed=seen)
    run("true", tmp_path)
    (tmp_path / "bin/docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon.' >&2; exit 1\n")
    (tmp_path / "bin/docker").chmod(0o755)
    assert run(script, tmp_path) == (1, "", "Cannot connect to the Docker daemon.\n")


SHELLS = [each for each in (("sh",), ("dash",), ("bash", "--posix"), ("busybox", "sh")) if shutil.which(each[0])]
STALLED = (
    "another run has been changing the proxy of this host for 1 s: `fuser -v {} names its process; "
    "wait for it or end it, and run the same command again\n"
)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_lock_is_a_file_that_only_users_of_the_engine_can_open(tmp_path, shell):
    assert run(with_proxy_lock("echo changed"), tmp_path, shell) == (0, "changed\n", "")
    [made] = (tmp_path / "lock").iterdir()
    assert (made.name, made.stat().st_mode & 0o777, made.stat().st_gid) == ("kp-proxy.0", 0o660, os.getgid())
    assert run(with_proxy_lock("echo changed"), tmp_path, shell) == (0, "changed\n", "")
    assert [each.name for each in (tmp_path / "lock").iterdir()] == ["kp-proxy.0"]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_lock_that_is_held_is_waited_for_as_long_as_agreed(tmp_path, shell):
    run(with_proxy_lock("true"), tmp_path)
    held = tmp_path / "lock/kp-proxy.0"
    with held.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        ended = run(with_proxy_lock("echo changed", seconds=1), tmp_path, shell)
    assert ended == (1, "", STALLED.format(f"{held}`"))
    assert run(with_proxy_lock("echo changed", seconds=1), tmp_path, shell) == (0, "changed\n", "")


def squat_open(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


def squat_folder(path: Path) -> None:
    path.mkdir()


def squat_link(path: Path) -> None:
    path.symlink_to("/bin/sh")


def squat_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def squat_pipe(path: Path) -> None:
    os.mkfifo(path, 0o660)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("squat", [squat_open, squat_folder, squat_link, squat_dangling, squat_pipe])
def test_what_another_user_put_there_is_passed_by(tmp_path, shell, squat):
    """A file that anybody may open could be held by anybody; and nothing is waited for, nor written through a link."""
    run("true", tmp_path)
    for number in (0, 1):
        squat(tmp_path / f"lock/kp-proxy.{number}")
    change = with_proxy_lock("echo changed", seconds=5)
    assert [run(change, tmp_path, shell) for _ in range(2)] == [(0, "changed\n", "")] * 2
    assert sorted(each.name for each in (tmp_path / "lock").iterdir()) == ["kp-proxy.0", "kp-proxy.1", "kp-proxy.2"]
    assert not (tmp_path / "lock/nowhere").exists()


def test_a_folder_full_of_such_files_is_named(tmp_path):
    run("true", tmp_path)
    for number in range(100):
        squat_dangling(tmp_path / f"lock/kp-proxy.{number}")
    locks = tmp_path / "lock"
    reason = f"files of other users in {locks} are in the way of the proxy's lock: remove {locks}/kp-proxy.*\n"
    assert run(with_proxy_lock("echo changed"), tmp_path) == (1, "", reason)


def test_without_the_socket_of_the_engine_the_lock_is_the_users_own(tmp_path):
    run("true", tmp_path)
    script = "unset DOCKER_HOST; " + with_proxy_lock("echo changed").replace("/var/run/docker.sock", f"{tmp_path}/none")
    assert run(script, tmp_path) == (0, "changed\n", "")
    [made] = (tmp_path / "lock").iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
