"""Programs on the deploying machine: nothing waits for one without a limit, and all that it prints is read."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kamal_pyinfra.errors import BuildFailed, HookFailed, RegistryFailed
from kamal_pyinfra.local import programs as hook_process
from kamal_pyinfra.local import registry as local_registry
from kamal_pyinfra.local.hooks import call_hook
from kamal_pyinfra.local.programs import Programs
from tests.conftest import MakeConfig, a_run

HANGS = "echo begun; exec sleep 60"


def programs(said: list[str]) -> Programs:
    return Programs(said.append, said.append)


def test_a_question_that_is_not_answered_in_time_has_failed() -> None:
    began = time.monotonic()
    answer = programs([]).ask(["sleep", "60"], seconds=1)
    assert time.monotonic() - began < 20
    assert (answer.succeeded, answer.error) == (False, "`sleep 60` did not answer within 1 s")


def test_a_program_that_prints_nothing_for_too_long_is_ended() -> None:
    said: list[str] = []
    began = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        programs(said).require(["sh", "-c", HANGS], hint="no image", silent=1)
    assert time.monotonic() - began < 20
    assert str(failed.value) == "no image\n`sh -c` printed nothing for 1 s and was ended\n  begun"
    assert said == ["begun"]


def test_a_program_that_closes_its_output_and_does_not_end_is_ended() -> None:
    with pytest.raises(BuildFailed, match="printed nothing for 1 s"):
        programs([]).require(["sh", "-c", "exec > /dev/null 2>&1; exec sleep 60"], silent=1)


def test_a_line_without_end_comes_in_pieces() -> None:
    said: list[str] = []
    programs(said).run([sys.executable, "-c", "print('x' * 1_000_000, end='')"])
    assert sum(map(len, said)) == 1_000_000
    assert max(map(len, said)) <= 2 * hook_process.CHUNK


def test_a_secret_reaches_a_program_on_standard_input() -> None:
    said: list[str] = []
    programs(said).run(["sh", "-c", "cat; echo"], secret="naïve ✓")
    assert said == ["naïve ✓"]


def test_a_hook_that_prints_nothing_for_too_long_is_ended(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_process, "SILENT_SECONDS", 1)
    path = tmp_path / ".kamal/hooks/pre-deploy"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{HANGS}\n")
    path.chmod(0o755)
    began = time.monotonic()
    with pytest.raises(HookFailed, match="Hook `pre-deploy` printed nothing for 1 s and was ended"):
        call_hook(a_run(config()), "pre-deploy", lambda line: None)
    assert time.monotonic() - began < 20


def test_a_docker_here_that_does_not_answer_a_login_is_named(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{HANGS}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(local_registry, "ANSWER_SECONDS", 1)
    with pytest.raises(RegistryFailed, match="this machine: `docker login` printed nothing for 1 s and was ended"):
        local_registry.log_in(a_run(config()))


def test_every_program_that_is_asked_has_a_time_limit() -> None:
    """Searched for in the text: one more call without a limit is found here."""
    package = Path(hook_process.__file__).parents[1]
    calls = subprocess.run(
        ["grep", "-rnE", "--include=*.py", r"subprocess\.(run|check_output|call)\(|\.communicate\(", str(package)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    places = [line.split(":")[:2] for line in calls]
    without = [
        f"{Path(path).name}:{number}"
        for path, number in places
        if "timeout=" not in "".join(Path(path).read_text("utf-8").splitlines()[int(number) - 1 : int(number) + 14])
    ]
    assert places
    assert without == []
