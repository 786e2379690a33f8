"""What `kp app boot` asks for, up to the door of the runner."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.plan.run import Run
from tests.conftest import StandIn

DEPLOY = """
service: shop
image: shop
servers: {web: [192.0.2.1, 192.0.2.2], job: [192.0.2.3]}
registry: {username: u, password: [PW]}
"""


@pytest.mark.parametrize(("more", "version"), [((), "v7"), (("--version", "v8"), "v8")])
def test_boot_is_about_the_version_in_service_and_builds_nothing(
    more: tuple[str, ...], version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: StandIn
) -> None:
    begun: list[tuple[Run, tuple[str, ...]]] = []
    stand_in("kamal_pyinfra.runner.tasks", in_service=lambda run, hosts: "v7")
    stand_in("kamal_pyinfra.runner.deploy", deploy=lambda run, hosts, report: begun.append((run, hosts)))
    monkeypatch.setenv("PW", "hush")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(DEPLOY)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(kp, ["app", "boot", "-r", "web", *more], catch_exceptions=False)
    (run, hosts), *others = begun
    assert not others
    assert hosts == ("192.0.2.1", "192.0.2.2")
    assert (run.version, run.command, run.roles, run.is_build_allowed) == (version, "app", ("web",), False)
