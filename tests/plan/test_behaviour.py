"""What each command looks after, as Kamal 1.9 has it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from kamal_pyinfra.plan.run import BEHAVIOUR, Behaviour, Command
from tests.conftest import MakeConfig, a_run

LOOKS_AFTER = {
    "setup": "boots_app boots_proxy boots_accessories writes_accessory_env releases prunes calls_deploy_hooks",
    "deploy": "boots_app boots_proxy releases prunes calls_deploy_hooks may_spare_accessories",
    "redeploy": "boots_app releases calls_deploy_hooks may_spare_accessories",
    "rollback": "boots_app calls_deploy_hooks may_spare_accessories",
    "app": "boots_app",
    "build": "boots_app refetches calls_deploy_hooks",
    "env": "boots_app boots_proxy writes_accessory_env calls_deploy_hooks",
    "traefik": "boots_proxy calls_deploy_hooks",
    "accessory": "boots_accessories writes_accessory_env calls_deploy_hooks",
    "accessory reboot": "boots_accessories reboots_accessories writes_accessory_env calls_deploy_hooks",
    "prune": "boots_app calls_deploy_hooks",
}


@pytest.mark.parametrize("command", LOOKS_AFTER)
def test_what_a_command_looks_after(config: MakeConfig, command: str) -> None:
    behaviour = a_run(config(), command=command).behaviour
    names = [field.name for field in fields(Behaviour) if getattr(behaviour, field.name)]
    assert " ".join(names) == LOOKS_AFTER[command]


def test_every_command_is_in_the_table() -> None:
    assert set(BEHAVIOUR) == set(Command)
