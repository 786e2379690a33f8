"""The examples load, and their env files name exactly what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from kamal_pyinfra.config import load_config
from kamal_pyinfra.config.secrets import missing_secrets, require_secrets
from kamal_pyinfra.project.scan import find_framework

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FRAMEWORKS = ("Django", "FastAPI", "Flask", "Node", "Rails")
CASES = [("single-server", None), ("https", None), ("three-roles", None), ("three-roles", "staging")]
CASES += [(name.lower(), None) for name in FRAMEWORKS]


@pytest.mark.parametrize(("name", "destination"), CASES)
def test_an_example_needs_exactly_the_variables_of_its_env_file(
    name: str, destination: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES / name)
    wanted = dotenv_values(".env.example") if Path(".env.example").exists() else {}
    missing = missing_secrets(load_config(destination=destination, environ={}))
    assert {line.split(": ")[1].split(" ")[0] for line in missing} == set(wanted)
    config = load_config(destination=destination, environ=dict.fromkeys(wanted, "x"))
    require_secrets(config)
    assert all(server.host.startswith("192.0.2.") for server in config.role_hosts)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_an_example_is_complete(name: str) -> None:
    files = {path.relative_to(EXAMPLES / name).as_posix() for path in (EXAMPLES / name).rglob("*") if path.is_file()}
    assert files >= {"README.md", "inventory.py", "config/deploy.yml"}


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} >= {name for name, _ in CASES}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_kp_init_knows_what_the_tutorials_are_made_with(name: str) -> None:
    folder = EXAMPLES / name.lower()
    framework = find_framework(folder)
    assert framework.name == name
    assert f"EXPOSE {framework.port}\n" in (folder / "Dockerfile").read_text()
