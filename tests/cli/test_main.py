"""What a user gets before any host is touched: exit codes and one clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MORE = "More: kp docs ConfigError  (docs/reference/troubleshooting.md#configerror)\n"
DEPLOY = """
service: shop
image: shop
servers: [web1.example]
registry: {username: u, password: [PW]}
"""


def kp(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kamal_pyinfra", *arguments],
        check=False,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **env},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(DEPLOY)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deploi",), "No such command 'deploi'"),
        (("plan", "--nonsense"), "No such option '--nonsense'"),
        (("apply",), "Missing argument 'FILE'"),
        (("lock", "acquire"), "Missing option '-m'"),
    ],
)
def test_wrong_usage_exits_3(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = kp(folder, *arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert message in done.stderr


def test_an_argument_that_is_no_text_exits_3(folder: Path) -> None:
    done = kp(folder, "server", "exec", "caf\udce9")
    assert (done.returncode, done.stderr) == (3, f"argument 3 is not valid UTF-8: 'caf\\udce9'\n{MORE}")


def test_a_missing_file_exits_3(tmp_path: Path) -> None:
    done = kp(tmp_path, "plan")
    assert (done.returncode, done.stderr) == (
        3,
        f"config/deploy.yml:1:1 Configuration file not found in config/deploy.yml\n{MORE}",
    )


def test_a_missing_secret_exits_3_before_any_connection(folder: Path) -> None:
    done = kp(folder, "deploy", "--version", "v1")
    assert done.returncode == 3
    assert done.stderr.startswith("config/deploy.yml:5:")
    assert "PW" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_that_is_no_tag_exits_3(folder: Path) -> None:
    done = kp(folder, "plan", "--version", "a/b", PW="x")
    assert done.returncode == 3
    assert "cannot be an image tag" in done.stderr


def test_config_prints_yaml_without_secrets(folder: Path) -> None:
    done = kp(folder, "config", PW="hush")
    assert done.returncode == 0
    assert done.stdout.startswith("service: shop\n")
    assert "hush" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("prune", "all", "--retain", "0"),
            "--retain must be at least 1: without a stopped container there is nothing",
        ),
        (("prune", "containers", "--retain", "-1"), "--retain must be at least 1"),
        (("env", "push"), "PW is not set"),
        (("registry", "login"), "PW is not set"),
        (("traefik", "reboot", "-y"), "PW is not set"),
        (("traefik", "stop", "-r", "job"), "No selected host runs the proxy: no role on it has `traefik: true`"),
        (("audit", "-n", "0"), "Invalid value for '-n'"),
        (("remove", "-h", "db*"), "No --hosts match for db*"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_host_is_touched(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    path = folder / "config/deploy.yml"
    path.write_text(DEPLOY.replace("servers: [web1.example]", "servers: {web: [web1.example], job: [job1.example]}"))
    done = kp(folder, *arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_underscores_work_as_in_kamal(folder: Path) -> None:
    assert kp(folder, "config", "--config_file", "config/deploy.yml").returncode == 0


def test_help_is_quick_because_pyinfra_stays_away(folder: Path) -> None:
    script = (
        "import sys; from click.testing import CliRunner; from kamal_pyinfra.cli.main import kp; "
        "assert CliRunner().invoke(kp, ['deploy', '--help']).exit_code == 0; "
        "print([name for name in sys.modules if name.split('.')[0] in ('pyinfra', 'gevent', 'paramiko', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
