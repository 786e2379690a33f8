"""Who may use the lab's engine, and what is left of one that the lab had the machine's own service start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.lab import engine, netfilter
from tests.lab.process import Result

UNITS = ("docker.socket", "docker.service", "containerd.service")


class Machine:
    """What commands did to a machine with systemd, on which no engine runs yet."""

    def __init__(self, folder: Path, *active: str) -> None:
        self.folder = folder
        self.active = set(active)
        self.containers: list[str] = []
        self.calls: list[str] = []

    def run(self, argv: Sequence[str], *, input: str | None = None, **_: Any) -> Result:
        words = [word for word in argv if word != "sudo"]
        self.calls.append(" ".join(words))
        code, out = 0, ""
        match words:
            case ["systemctl", "is-active", "--quiet", unit]:
                code = 0 if unit in self.active else 3
            case ["systemctl", "start", "docker"]:
                self.active |= set(UNITS)
            case ["systemctl", "stop", *units]:
                self.active -= set(units)
            case ["docker", "version", *_]:
                code = 0 if "docker.service" in self.active else 1
            case ["docker", "ps", *_]:
                out = "\n".join(self.containers)
            case _:
                done = subprocess.run(words, check=False, capture_output=True, text=True, input=input)
                code, out = done.returncode, done.stdout
        return Result(list(argv), code, out, "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    (tmp_path / "system.sock").touch()
    for name, value in {
        "RUN": tmp_path / "run",
        "SOCKET": tmp_path / "run/docker.sock",
        "BEFORE": tmp_path / "run/before.json",
        "SERVICE": tmp_path / "run/service.json",
        "SYSTEM": f"unix://{tmp_path}/system.sock",
        "machine_lock_directory": lambda: tmp_path,
        "install": lambda: None,
        "_has_systemd": lambda: True,
        "_current_context": lambda: "",
        "run": found.run,
    }.items():
        monkeypatch.setattr(engine, name, value)
    monkeypatch.setattr("tests.lab.docker.run", found.run)
    monkeypatch.setattr(netfilter, "snapshot", lambda: {"ip_forward": "0"})
    monkeypatch.setattr(netfilter, "restore", lambda before: found.calls.append(f"restored {before}"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return found


def test_a_service_that_the_lab_had_started_stops_with_it(machine: Machine) -> None:
    """No process may outlive the run; the socket must go first, or it would start the service again."""
    assert engine.ensure() == engine.SYSTEM
    assert machine.active == set(UNITS)
    engine.stop_if_unused()
    assert "systemctl stop docker.socket docker.service containerd.service" in machine.calls
    assert machine.active == set()
    assert machine.calls[-2:] == ["restored {'ip_forward': '0'}", f"rm -rf {machine.folder}/run"]


def test_what_ran_before_stays(machine: Machine) -> None:
    machine.active = {"containerd.service"}
    engine.ensure()
    engine.stop_if_unused()
    assert machine.active == {"containerd.service"}


def test_a_service_that_ran_before_is_not_the_labs(machine: Machine) -> None:
    machine.active = set(UNITS)
    assert engine.ensure() == engine.SYSTEM
    engine.stop_if_unused()
    assert machine.active == set(UNITS)
    assert not any("systemctl" in call for call in machine.calls)


def test_a_service_that_somebody_uses_meanwhile_stays(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Another lab's containers, or anybody's: the engine stays, and with it the note of what is to be stopped."""
    engine.ensure()
    machine.containers = ["0123abcd"]
    engine.stop_if_unused()
    assert machine.active == set(UNITS)
    assert "lab: the engine stays: containers run on it" in capsys.readouterr().err
    machine.containers = []
    engine.stop_if_unused()
    assert machine.active == set()


def test_the_socket_is_the_callers_alone() -> None:
    """A user's primary group may be one that all users share, and who may open the socket is root on this machine."""
    argv = engine.engine_arguments()
    assert argv[argv.index("--group") + 1] == "0"
    assert str(os.getgid()) == "0" or str(os.getgid()) not in argv
