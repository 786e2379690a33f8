"""Commands that ask no host, and those of Kamal's that are not there."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import pytest
from click import Context
from click.testing import CliRunner

from kamal_pyinfra import __version__
from kamal_pyinfra.cli.commands.app import app
from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.reference import SECTIONS as SAMPLES


def test_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(kp, ["version"]).output == f"{__version__}\n"


def test_versions_as_json() -> None:
    found = json.loads(CliRunner().invoke(kp, ["version", "--json"]).output)
    assert found == {"kp": __version__, "pyinfra": metadata.version("pyinfra"), "python": platform.python_version()}


@pytest.mark.parametrize("arguments", [["version", "now"], ["deploy", "v1"], ["lock", "status", "x"]])
def test_surplus_arguments_are_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(kp, arguments)
    assert done.exit_code == 2  # main() makes it 3, as tests/cli/test_main.py shows
    assert f"unexpected extra argument ({arguments[-1]})" in done.output


@pytest.mark.parametrize("arguments", [["downgrade"], ["traefik", "downgrade"], ["healthcheck", "perform"]])
def test_commands_of_kamal_that_are_not_there_are_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(kp, arguments)
    assert done.exit_code == 2
    assert "No such command" in done.output


@pytest.mark.parametrize("section", SAMPLES)
def test_docs_prints_a_sample(section: str) -> None:
    done = CliRunner().invoke(kp, ["docs", section])
    assert done.exit_code == 0
    assert done.output.strip()


def test_docs_names_the_sections_that_there_are() -> None:
    done = CliRunner().invoke(kp, ["docs", "proxy"])
    assert isinstance(done.exception, ConfigError)
    assert "traefik" in str(done.exception)


def test_logs_and_exec_are_those_of_app() -> None:
    for name in ("logs", "exec"):
        short, long = kp.get_command(Context(kp), name), app.commands[name]
        assert [option.opts for option in short.params] == [option.opts for option in long.params]
