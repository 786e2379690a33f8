"""The order of operations under pyinfra's own command line, where all are prepared before the first one runs."""

from __future__ import annotations

from dataclasses import replace

import pyinfra
from pyinfra.api.config import Config as EngineConfig
from pyinfra.api.connect import connect_all
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_state

from kamal_pyinfra.deploys.pyinfra_cli.rollout import roll_out
from tests.operations.conftest import deployed
from tests.operations.fleet import FleetConnector

BATCH = [
    "Boot | Boot the primary role",
    "Boot | Boot the other roles, await the proxy",
    "Boot | Pass the gate",
    "Switch | Drain the old version",
]


def test_a_batch_is_switched_before_the_next_one_boots(fleet, run, monkeypatch):
    boot = run.config.boot.model_copy(update={"limit": 1, "wait": 3})
    run = replace(run, config=run.config.model_copy(update={"boot": boot}))
    servers = fleet(deployed, run).servers
    inventory = Inventory((list(servers), {}))
    for host in inventory:
        host.connector_cls = type("Connector", (FleetConnector,), {"server": servers[host.name]})
    state = State(inventory, EngineConfig())
    state.set_stage(StateStage.Connect)
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    monkeypatch.setattr(pyinfra, "is_cli", True)
    state.current_op_file_number = 0
    for host in inventory:
        with ctx_state.use(state), ctx_host.use(host), ctx_config.use(state.config.copy()):
            roll_out(run=run)
    names = [" ".join(state.get_op_meta(each).names).removeprefix("Deploy | ") for each in state.get_op_order()]
    assert names[names.index(BATCH[0]) :] == [
        *BATCH,
        "Wait between batches",
        *BATCH,
        "Finish | Mark the version in service, remove leftovers",
        "Unlock | Release the deploy lock",
    ]
