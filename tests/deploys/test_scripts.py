"""What a script of pyinfra's door shares with the inventory before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyinfra.api.state import State
from pyinfra.context import ctx_state

from kamal_pyinfra.config import load_config
from kamal_pyinfra.deploys import scripts
from kamal_pyinfra.operations.run_state import run_state
from tests.conftest import SECRETS

DEPLOY = "service: shop\nimage: shop\nservers: [192.0.2.1]\nregistry: {username: u, password: [REGISTRY_PASSWORD]}\n"


def test_a_script_has_the_configuration_that_its_inventory_has_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the hook pre-connect, which the inventory calls, is not called for it again."""
    monkeypatch.chdir(tmp_path)
    for name in ("deploy.yml", "deploy.eu.yml", "other.yml"):
        Path(name).write_text(DEPLOY)
    loaded = [load_config("deploy.yml", environ=SECRETS), load_config("deploy.yml", destination="eu", environ=SECRETS)]
    state = State()
    run_state(state).configs.extend(loaded)
    with ctx_state.use(state):
        monkeypatch.setenv("KP_CONFIG", "deploy.yml")
        assert scripts._config() is loaded[0]
        monkeypatch.setenv("KP_DESTINATION", "eu")
        assert scripts._config() is loaded[1]
        monkeypatch.delenv("KP_DESTINATION")
        monkeypatch.setenv("KP_CONFIG", "other.yml")
        assert scripts._config() not in loaded
