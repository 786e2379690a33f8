"""Remote commands end with their time and with their connection, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from kamal_pyinfra.shell.script import BRIEF_CLIENT, functions, guarded
from tests.processes import is_running, until

WATCH = functions("end_with_connection") + "end_with_connection\n"
HAS_PROC = Path("/proc/self/comm").exists()


def run(script: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60, **options)


def test_a_guarded_script_as_text():
    assert guarded("echo 'hi there'", seconds=90) == (
        "timeout -k 5 90 sh -c '" + (BRIEF_CLIENT + WATCH + "echo 'hi there'").replace("'", "'\"'\"'") + "'"
    )


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_exit_code_and_output_are_the_scripts(code):
    ended = run(guarded(f"echo out; echo err >&2; exit {code}", seconds=20))
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "out\n", "err\n")


def test_the_last_commands_exit_code_counts():
    assert run(guarded("true && false", seconds=20)).returncode == 1


def test_standard_input_reaches_the_script():
    assert run(guarded("cat", seconds=20), input="secret\n").stdout == "secret\n"


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc")
def test_a_script_whose_time_is_up_is_ended_with_everything_that_it_started(tmp_path):
    script = f"sleep 61 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; sleep 62; echo over > {tmp_path}/over"
    ended = run(guarded(script, seconds=1))  # type: ignore[arg-type]
    assert ended.returncode == 124
    pids = [int((tmp_path / name).read_text()) for name in ("child", "self")]
    until(lambda: not any(map(is_running, pids)))
    assert not (tmp_path / "over").exists()


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc")
def test_a_script_ends_when_the_sshd_above_it_is_gone(tmp_path):
    sshd, quick = tmp_path / "sshd", tmp_path / "bin"
    shutil.copy(Path(shutil.which("sh") or "/bin/sh").resolve(), sshd)
    quick.mkdir()
    (quick / "sleep").write_text(
        '#!/bin/sh\ncase "$1" in 0.5) exec /bin/sleep 0.02 ;; *) exec /bin/sleep "$1" ;; esac\n'
    )
    (quick / "sleep").chmod(0o755)
    script = f"echo $$ > {tmp_path}/self; sleep 63; echo over > {tmp_path}/over"
    connection = subprocess.Popen(
        [sshd, "-c", f"{guarded(script, seconds=60)}; true"],
        env={"PATH": f"{quick}:{os.defpath}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (tmp_path / "self").exists() and (tmp_path / "self").read_text())
    pid = int((tmp_path / "self").read_text())
    assert is_running(pid)
    connection.send_signal(signal.SIGKILL)
    connection.wait(20)
    until(lambda: not is_running(pid))
    assert not (tmp_path / "over").exists()


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc")
def test_the_watch_on_the_connection_ends_with_the_script(tmp_path):
    sshd = tmp_path / "sshd"
    shutil.copy(Path(shutil.which("sh") or "/bin/sh").resolve(), sshd)
    script = f'echo "$watchdog" > {tmp_path}/watchdog; exit 3'
    ended = subprocess.run(
        [sshd, "-c", f"{guarded(script, seconds=20)}; echo $?"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.defpath},
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")
    watchdog = int((tmp_path / "watchdog").read_text())
    until(lambda: not is_running(watchdog))
