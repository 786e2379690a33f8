"""The proxy of a host is changed by one service at a time, and only as it was seen."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kamal_pyinfra.commands.proxy_lock import CHANGED, alone, alone_if_unmoved
from kamal_pyinfra.plan.desired import desired_host
from tests.commands.builders import golden_config, new_run

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


def run(script: str, folder: Path) -> tuple[int, str, str]:
    program = folder / "bin/docker"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(DOCKER)
        program.chmod(0o755)
    ended = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={"PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin"},
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
    assert run(alone_if_unmoved("echo changed", proxy=proxy, seen=seen), tmp_path) == answer


def test_of_eight_services_one_changes_it_at_a_time(tmp_path, proxy):
    run("true", tmp_path)  # the program is there
    change = alone("mkdir busy || exit 3; sleep 0.05; rmdir busy; echo done")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: run(change, tmp_path), range(8))) == [(0, "done\n", "")] * 8


def test_of_eight_services_that_found_none_one_makes_it(tmp_path, proxy):
    run("true", tmp_path)
    change = alone_if_unmoved(f"echo 'new {proxy.digest}' > there; echo made", proxy=proxy, seen="")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: run(change, tmp_path), range(8)))
    assert sorted(answers) == [(0, "", "")] * 7 + [(0, "made\n", "")]


@pytest.mark.parametrize("seen", ["", "abc"])
def test_an_engine_that_does_not_answer_has_not_been_changed_by_another_run(proxy, seen, tmp_path):
    script = alone_if_unmoved("echo changed", proxy=proxy, seen=seen)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon.' >&2; exit 1\n")
    (tmp_path / "bin/docker").chmod(0o755)
    assert run(script, tmp_path) == (1, "", "Cannot connect to the Docker daemon.\n")
