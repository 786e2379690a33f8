"""What the snapshot may show of the environment."""

from __future__ import annotations

from kamal_pyinfra.operations.observation import query_for
from tests.conftest import MakeConfig, a_run


def test_a_name_that_is_a_secret_anywhere_is_not_asked_for(config: MakeConfig) -> None:
    made = config(
        servers={
            "web": {"hosts": ["192.0.2.1"], "env": {"clear": {"TOKEN": "public", "COLOR": "blue"}}},
            "job": {"hosts": ["192.0.2.2"], "env": {"secret": ["TOKEN"]}},
        }
    )
    assert query_for(a_run(made)).clear_names == ("COLOR",)
