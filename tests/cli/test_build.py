"""kp build on a machine with a fake docker: what it prints, what it leaves behind, and its exit code."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SECRETS
from tests.operations.machine import Machine, spelled

REMOTE = {"arch": "amd64", "host": "ssh://root@192.0.2.9"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.at(tmp_path)


def kp(machine: Machine, *arguments: str, code: int = 0) -> list[str]:
    """Run `kp build …` in the project; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", "build", *arguments, "-c", str(machine.folder / "deploy.yml")],
        check=False,
        cwd=machine.project,
        env=machine.environment | SECRETS | {"INHERITED": "hush-inherited", "BUILD_TOKEN": "hush-token"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert not [secret for secret in (*SECRETS.values(), "hush-token") if secret in done.stdout + done.stderr]
    return (done.stderr if code else done.stdout).splitlines()


def test_a_builder_is_created_and_removed_once(machine: Machine):
    machine.config(remote=REMOTE)
    name = "kamal-shop-native-remote"
    assert kp(machine, "create")[-1] == f"Created {name}"
    assert kp(machine, "create") == [f"Already there: {name}"]
    assert (machine.folder / f"docker/builder-{name}").exists()
    assert kp(machine, "remove") == [f"Removed {name}"]
    assert kp(machine, "remove") == [f"Not there: {name}"]
    assert list((machine.folder / "docker").glob(f"*-{name}*")) == []


def test_the_native_builder_needs_neither(machine: Machine):
    machine.config(multiarch=False)
    assert kp(machine, "create") == ["The native builder is the engine itself: nothing to create"]
    assert kp(machine, "remove") == ["The native builder is the engine itself: nothing to remove"]
    assert spelled(machine.calls()) == []


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ({"multiarch": False}, ["Builder: native", "Platforms: that of the engine", "said by docker"]),
        (
            {"remote": REMOTE},
            [
                "Builder: native/remote kamal-shop-native-remote",
                "Platforms: linux/amd64",
                "Context: kamal-shop-native-remote-amd64 at ssh://root@192.0.2.9",
                "said by docker",
                "said by docker",
            ],
        ),
    ],
)
def test_details_show_the_builder_and_not_the_environment(machine: Machine, section: dict[str, object], lines):
    machine.config(**section)
    assert kp(machine, "details") == lines


def test_push_shows_the_build_and_a_failure_ends_with_1(machine: Machine):
    machine.config(multiarch=False, secrets=["BUILD_TOKEN"])
    shown = "\n".join(kp(machine, "push", "--version", "v1"))
    assert "build    a line of the build\n" in shown
    assert "build    done in " in shown
    assert "a line" not in "\n".join(kp(machine, "push", "--version", "v1", "--quiet"))
    machine.fails("build", "no space left on device")
    assert kp(machine, "push", "--version", "v1", code=1) == [
        "registry.example.com/acme/shop:v1 could not be built",
        "`docker build` failed with exit code 1",
        "  no space left on device",
        "More: kp docs BuildFailed  (docs/reference/troubleshooting.md#buildfailed)",
    ]


def test_a_signal_ends_the_build_that_is_under_way(machine: Machine):
    machine.config(multiarch=False)
    (machine.folder / "docker/hangs").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "kamal_pyinfra", "build", "push", "--version", "v1", "-c", "../deploy.yml"],
        cwd=machine.project,
        env=machine.environment | SECRETS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while "a line of the build" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
        build = machine.calls()[-1]
        assert (build["argv"][0], Path(f"/proc/{build['pid']}").exists()) == ("build", False)
    finally:
        (machine.folder / "docker/hangs").unlink()
        process.kill()
        process.communicate()


def test_without_docker_the_way_out_is_named(machine: Machine):
    machine.config(multiarch=False)
    machine.lacks("../bin/docker")
    for name in ("git", "ps"):
        (machine.folder / "bin" / name).symlink_to(shutil.which(name) or name)
    done = subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", "build", "push", "--version", "v1", "-c", "../deploy.yml"],
        check=False,
        cwd=machine.project,
        env=machine.environment | SECRETS | {"PATH": str(machine.folder / "bin")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "Docker is not installed on this machine: install it, or build elsewhere and use --skip-push\n"
        "More: kp docs BuildFailed  (docs/reference/troubleshooting.md#buildfailed)\n",
    )
