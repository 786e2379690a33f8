"""What the shell offers after a TAB, asked as a shell asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import sys; sys.argv[0] = 'kp'; from kamal_pyinfra.cli.main import main; main()"
CONFIG = """
service: shop
image: shop
servers:
  web: {hosts: [192.0.2.1, {192.0.2.2: gpu}]}
  worker: [198.51.100.3]
accessories:
  db: {image: postgres, host: 203.0.113.4}
  cache: {image: redis, roles: [web]}
"""


def offered(folder: Path, typed: str) -> list[str]:
    """The words for the last one of a line."""
    words = typed.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "_KP_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(CONFIG)
    (tmp_path / "config/deploy.staging.yml").write_text("service: shop\n")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("kp rol", ["rollback"]),
        ("kp accessory boot ", ["db", "cache", "all"]),
        ("kp accessory boot c", ["cache"]),
        ("kp deploy -h ", ["192.0.2.1", "192.0.2.2", "198.51.100.3", "203.0.113.4"]),
        ("kp deploy --hosts 192.0.2.1,19", ["192.0.2.1,192.0.2.2", "192.0.2.1,198.51.100.3"]),
        ("kp deploy -r w", ["web", "worker"]),
        ("kp deploy -d ", ["staging"]),
        ("kp completion z", ["zsh"]),
        ("kp app boot --version ", []),
    ],
)
def test_names_come_from_the_configuration(folder: Path, typed: str, expected: list[str]) -> None:
    assert offered(folder, typed) == expected


def test_versions_are_the_last_commits(folder: Path) -> None:
    git = ["git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], cwd=folder, check=True)
    log = subprocess.run(["git", "log", "--format=%H"], cwd=folder, check=True, capture_output=True, text=True)
    assert offered(folder, "kp rollback ") == log.stdout.split()
    assert offered(folder, "kp deploy --version ") == log.stdout.split()


@pytest.mark.parametrize("text", ["servers: [", "- a list", "", "servers: {web: 3}\naccessories: [db]", "\x00"])
def test_a_configuration_that_cannot_be_read_offers_nothing(folder: Path, text: str) -> None:
    (folder / "config/deploy.yml").write_text(text)
    assert offered(folder, "kp deploy -h ") == []
    assert offered(folder, "kp accessory boot ") == []


def test_a_tab_loads_no_engine(folder: Path) -> None:
    """Completion must be as quick as the command line itself."""
    names = "{'pyinfra', 'gevent', 'paramiko', 'pydantic', 'rich'}"
    probe = (
        "import sys; sys.argv[0] = 'kp'; from kamal_pyinfra.cli.main import kp\n"
        "try: kp.main(prog_name='kp')\n"
        f"finally: print(sorted({names} & {{name.split('.')[0] for name in sys.modules}}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=folder,
        env={"_KP_COMPLETE": "bash_complete", "COMP_WORDS": "kp deploy -h ", "COMP_CWORD": "3"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.splitlines()[0] == "plain,192.0.2.1"
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_kp(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", "completion", shell], capture_output=True, text=True, check=True
    )
    assert f"_KP_COMPLETE={shell}_complete" in done.stdout


def test_bash_takes_the_script(folder: Path) -> None:
    """bash itself, with the script loaded, must know a completion for kp."""
    script = subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\ncomplete -p kp"], capture_output=True, text=True, check=True, cwd=folder
    )
    assert "-F _kp_completion kp" in done.stdout


def test_another_shell_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", "completion", "csh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in done.stderr
