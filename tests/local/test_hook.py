"""What each hook is told, whole."""

from __future__ import annotations

from typing import Any

import pytest

from kamal_pyinfra.local.hooks import hook_environment, hook_path
from kamal_pyinfra.plan.run import Run
from tests.conftest import MakeConfig, a_run

AT = "2026-01-02T03:04:09Z"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SERVERS = {"web": ["192.0.2.1", "192.0.2.2"], "job": ["192.0.2.1", "192.0.2.3"]}


def told(run: Run, **details: Any) -> dict[str, str]:
    return {name: value for name, value in hook_environment(run, at=AT, **details).items() if value is not None}


def test_a_deploy_tells_who_what_and_where(config: MakeConfig) -> None:
    assert told(a_run(config(servers=SERVERS), COMMIT)) == {
        "KAMAL_RECORDED_AT": "2026-01-02T03:04:09Z",
        "KAMAL_PERFORMER": "dev@example.com",
        "KAMAL_VERSION": COMMIT,
        "KAMAL_SERVICE_VERSION": "shop@0123456",
        "KAMAL_SERVICE": "shop",
        "KAMAL_HOSTS": "192.0.2.1,192.0.2.2,192.0.2.3",
        "KAMAL_COMMAND": "deploy",
    }


def test_everything_that_can_be_told(config: MakeConfig) -> None:
    run = a_run(
        config(servers=SERVERS, destination="staging"),
        f"{COMMIT}_uncommitted_0123456789abcdef",
        command="traefik",
        hosts=("192.0.2.1", "192.0.2.3"),
        roles=("web", "job"),
        words=("traefik", "reboot"),
    )
    assert told(run, hosts=["192.0.2.3"], runtime=12.6) == {
        "KAMAL_RECORDED_AT": "2026-01-02T03:04:09Z",
        "KAMAL_PERFORMER": "dev@example.com",
        "KAMAL_DESTINATION": "staging",
        "KAMAL_VERSION": f"{COMMIT}_uncommitted_0123456789abcdef",
        "KAMAL_SERVICE_VERSION": f"shop@{COMMIT}_uncommitted_0123456789abcdef",
        "KAMAL_SERVICE": "shop",
        "KAMAL_HOSTS": "192.0.2.3",
        "KAMAL_COMMAND": "traefik",
        "KAMAL_SUBCOMMAND": "reboot",
        "KAMAL_ROLE": "web,job",
        "KAMAL_RUNTIME": "13",
    }


def test_the_selected_hosts_are_told(config: MakeConfig) -> None:
    run = a_run(config(servers=SERVERS), hosts=("192.0.2.2",))
    assert told(run)["KAMAL_HOSTS"] == "192.0.2.2"


def test_a_deploy_faster_than_half_a_second_took_0(config: MakeConfig) -> None:
    assert told(a_run(config()), runtime=0.4)["KAMAL_RUNTIME"] == "0"


def test_values_are_handed_over_as_they_are(config: MakeConfig) -> None:
    hostile = '$(touch pwned) `id` "quoted" \\ \' \n'
    assert told(a_run(config(), performer=hostile))["KAMAL_PERFORMER"] == hostile


@pytest.mark.parametrize(
    ("version", "short"),
    [(COMMIT, "shop@0123456"), ("v1", "shop@v1"), ("release_42_final", "shop@release_42_final")],
)
def test_a_commit_is_cut_short(config: MakeConfig, version: str, short: str) -> None:
    assert told(a_run(config(), version))["KAMAL_SERVICE_VERSION"] == short


def test_hooks_lie_in_hooks_path(config: MakeConfig) -> None:
    assert hook_path(config(), "pre-build") == ".kamal/hooks/pre-build"
    assert hook_path(config(hooks_path="deploy/hooks"), "pre-build") == "deploy/hooks/pre-build"
