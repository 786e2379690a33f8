"""What a login shell is sent means the same in all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import make_unix_command

from kamal_pyinfra.shell.login_shell import plain, sheltered
from kamal_pyinfra.shell.script import expandable, quote
from tests.shell.test_shell import NASTY, texts

SHELLS = {
    "dash": ("dash",),
    "bash": ("bash",),
    "rbash": ("rbash",),
    "busybox": ("busybox", "sh"),
    "fish": ("fish",),
    "tcsh": ("tcsh",),
    "csh": ("bsd-csh",),
    "zsh": ("zsh",),
    "ksh": ("ksh93",),
    "mksh": ("mksh",),
}
each_shell = pytest.mark.parametrize("shell", SHELLS)
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run(shell: str, command: str, typed: bytes = b"") -> tuple[int, bytes, bytes]:
    """What sshd does with a command."""
    program = shutil.which(SHELLS[shell][0])
    assert program is not None, f"{shell} is missing; `scripts/test unit` installs it"
    home = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    argv = [program, *SHELLS[shell][1:], "-c", command]
    done = subprocess.run(argv, input=typed, capture_output=True, check=False, timeout=60, env=home)
    return done.returncode, done.stdout, done.stderr


def unix(script: str) -> str:
    return str(make_unix_command(StringCommand(script)).get_raw_value())


def test_the_login_shell_sees_words_that_all_read_alike() -> None:
    assert sheltered("echo 'a'", start="kp-1", end="kp-2") == (
        "sh -c 'echo kp-1;echo kp-1>&2;"
        's=$(printf %s "$@"|base64 -d 2>/dev/null)||s=$(printf %s "$@"|openssl base64 -d -A 2>/dev/null)||'
        "{ echo neither base64 nor openssl is installed>&2;exit 127;};"
        """set --;eval "$s";c=$?;echo kp-2;exit $c' sh 'ZWNobyAnYSc='"""
    )


@each_shell
@few
@given(value=texts)
@example(value="".join(NASTY))
def test_a_value_arrives_byte_for_byte_through_any_login_shell(shell: str, value: str) -> None:
    sent = sheltered(unix(f"printf '<%s>' {quote(value)}"), start="kp-1", end="kp-2")
    assert run(shell, sent) == (0, b"kp-1\n<" + value.encode() + b">kp-2\n", b"kp-1\n")


@each_shell
@few
@given(value=texts)
@example(value="".join(NASTY))
def test_a_value_in_which_variables_are_left_to_the_host_runs_nothing(
    shell: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, _ = run(shell, sheltered(unix(f"printf %s {expandable(value)}; [ ! -e hacked ]")))
    assert code == 0
    assert list(tmp_path.iterdir()) == []


@each_shell
@pytest.mark.parametrize("kilobytes", [1, 40, 120])
def test_long_scripts_standard_input_and_the_exit_code_come_through(shell: str, kilobytes: int) -> None:
    script = unix(f"cat; echo !! \\\\ >&2; exit 7\n: {'x' * (kilobytes * 1000)}")
    code, out, err = run(shell, sheltered(script, start="kp-1", end="kp-2"), b"typed !\\'\n")
    assert (code, out, err) == (7, b"kp-1\ntyped !\\'\nkp-2\n", b"kp-1\n!! \\\n")


@each_shell
@few
@given(value=texts)
@example(value="".join(NASTY))
def test_a_fact_means_the_same_under_any_login_shell_without_kp(shell: str, value: str) -> None:
    assert run(shell, unix(plain(f"printf '<%s>' {quote(value)}"))) == (0, b"<" + value.encode() + b">", b"")


@pytest.mark.parametrize("programs", [("openssl",), ()], ids=["openssl", "neither"])
def test_a_host_without_base64_needs_openssl(programs: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("sh", "printf", "cat", *programs):
        (tmp_path / name).symlink_to(shutil.which(name) or "/missing")
    done = subprocess.run(
        ["sh", "-c", sheltered("echo it works")],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )
    missing = (127, "", "neither base64 nor openssl is installed\n")
    assert (done.returncode, done.stdout, done.stderr) == ((0, "it works\n", "") if programs else missing)


def test_the_script_has_no_arguments_of_its_own() -> None:
    done = subprocess.run(["sh", "-c", sheltered('echo "$# [$*]"')], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"
