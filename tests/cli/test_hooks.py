"""Hooks through both doors as far as no host is needed: a failing or interrupted pre-connect comes before any."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kamal_pyinfra.deploys.pyinfra_cli.arguments import script_words
from tests.processes import is_running, until

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = """
service: shop
image: shop
servers: {web: [192.0.2.1, 192.0.2.2], job: [192.0.2.3]}
registry: {username: u, password: [PW]}
"""
KP = (str(BIN / "kp"),)
PYINFRA = (str(BIN / "pyinfra"), "inventory.py")
FAILING = "#!/bin/sh\nenv | grep ^KAMAL_ | grep -v -e _AT= -e PERFORMER | sort\nexit 1\n"
HANGING = """#!/bin/sh
trap "" TERM INT
(trap "" TERM INT; exec sleep 300) &
echo $$ $! > pids.new && mv pids.new pids
wait; wait
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(DEPLOY)
    (tmp_path / "inventory.py").write_text((CHECKOUT / "examples/three-roles/inventory.py").read_text())
    (tmp_path / "deploys").symlink_to(CHECKOUT / "deploys")
    return tmp_path


def write(folder: Path, body: str, *, name: str = "pre-connect", mode: int = 0o755) -> None:
    path = folder / ".kamal/hooks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)
    path.chmod(mode)


def start(folder: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PW": "hush", "VERSION": "0123456789"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((*KP, "deploy"), ["COMMAND=deploy", "HOSTS=192.0.2.1,192.0.2.2,192.0.2.3", "VERSION=0123456789"]),
        ((*KP, "deploy", "--dry-run"), ["COMMAND=deploy", "HOSTS=192.0.2.1,192.0.2.2,192.0.2.3", "VERSION=0123456789"]),
        ((*KP, "plan", "-p"), ["COMMAND=plan", "HOSTS=192.0.2.1", "VERSION=0123456789"]),
        (
            (*KP, "app", "details", "-r", "j*"),
            ["COMMAND=app", "HOSTS=192.0.2.3", "ROLE=job", "SUBCOMMAND=details", "VERSION=0123456789"],
        ),
        (
            (*PYINFRA, "deploys/rollback.py", "-y", "--data", "version=0123456abc"),
            ["COMMAND=rollback", "HOSTS=192.0.2.1,192.0.2.2,192.0.2.3", "VERSION=0123456abc"],
        ),
        (
            (*PYINFRA, "exec", "--", "uptime"),
            ["COMMAND=pyinfra", "HOSTS=192.0.2.1,192.0.2.2,192.0.2.3", "VERSION=0123456789"],
        ),
    ],
)
def test_pre_connect_comes_before_the_first_connection(folder: Path, command: Sequence[str], told: list[str]) -> None:
    """A failing pre-connect must end every command that would connect, with code 1 and its output."""
    write(folder, FAILING)
    service = ["SERVICE=shop", "SERVICE_VERSION=shop@0123456"]
    lines = [f"  KAMAL_{line}\n" for line in sorted([*told, *service])]
    code, said = ended(start(folder, command))
    assert code == 1
    assert "Hook `pre-connect` failed with exit code 1 (.kamal/hooks/pre-connect)\n" + "".join(lines) in said
    assert "Nothing was changed." in said
    assert "connect (" not in said


@pytest.mark.parametrize("command", [(*KP, "config"), (*KP, "version"), (*PYINFRA, "debug-inventory")])
def test_what_does_not_connect_calls_no_hook(folder: Path, command: Sequence[str]) -> None:
    write(folder, FAILING)
    assert ended(start(folder, command))[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [(*KP, "deploy"), (*PYINFRA, "deploys/deploy.py", "-y")], ids=["kp", "pyinfra"])
def test_an_interrupted_hook_ends_with_the_run(folder: Path, command: Sequence[str], number: signal.Signals) -> None:
    """SIGINT or SIGTERM while a hook hangs must end it and its children, also if they ignore TERM; exit 128+n."""
    write(folder, HANGING)
    process = start(folder, command)
    try:
        until((folder / "pids").exists)
        process.send_signal(number)
        code, said = ended(process)
        assert code == 128 + number, said
    finally:
        process.kill()
    assert [pid for pid in (folder / "pids").read_text().split() if is_running(pid)] == []


def test_a_hook_that_is_not_executable_is_found_before_the_deploy(folder: Path) -> None:
    write(folder, "", name="post-deploy", mode=0o644)
    code, said = ended(start(folder, (*KP, "deploy")))
    assert code == 1
    assert said == (
        "Hook `post-deploy` is not executable: run `chmod +x .kamal/hooks/post-deploy`, "
        "or go without hooks with --skip-hooks.\n"
        "More: kp docs HookFailed  (docs/reference/troubleshooting.md#hookfailed)\n"
    )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("inventory.py deploys/deploy.py -y --data version=v1", ("deploy",)),
        ("-v inventory.py deploys/traefik_reboot.py", ("traefik", "reboot")),
        ("inventory.py fact server.Kernel", ("pyinfra",)),
        ("@local exec -- true", ("pyinfra",)),
    ],
)
def test_a_script_tells_its_command(typed: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pyinfra", *typed.split()])
    assert script_words() == words
