"""What the snapshot may show of the environment, and what a look that was taken beforehand is good for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.operations import apply
from kamal_pyinfra.operations import run_state as observation
from kamal_pyinfra.operations.apply import may_change
from kamal_pyinfra.operations.run_state import drop_snapshots, keep_snapshots, query_for
from kamal_pyinfra.plan.diff.host import diff_images
from kamal_pyinfra.plan.run import Run
from tests.conftest import MakeConfig, a_run
from tests.operations.conftest import PRIMARY, deployed, fresh


def test_a_name_that_is_a_secret_anywhere_is_not_asked_for(config: MakeConfig) -> None:
    made = config(
        servers={
            "web": {"hosts": ["192.0.2.1"], "env": {"clear": {"TOKEN": "public", "COLOR": "blue"}}},
            "job": {"hosts": ["192.0.2.2"], "env": {"secret": ["TOKEN"]}},
        }
    )
    assert query_for(a_run(made)).clear_names == ("COLOR",)


class Engine:
    """A state of pyinfra's that prepares."""

    is_executing = False


def test_only_a_look_that_holds_tells_that_there_is_nothing_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that pyinfra took while it prepared may be out of date when it executes."""
    state: Any = Engine()
    monkeypatch.setattr(apply, "current_state", lambda: state)
    monkeypatch.setattr(apply, "current_host", lambda: SimpleNamespace(name=PRIMARY))
    assert may_change(run, diff_images)
    observation.run_state(state).snapshots[PRIMARY, False] = deployed(run, PRIMARY)
    assert may_change(run, diff_images)
    keep_snapshots(state, {PRIMARY: deployed(run, PRIMARY)})
    assert not may_change(run, diff_images)
    keep_snapshots(state, {PRIMARY: fresh(run, PRIMARY)})
    assert may_change(run, diff_images)
    keep_snapshots(state, {PRIMARY: deployed(run, PRIMARY)})
    drop_snapshots(state)
    assert may_change(run, diff_images)
