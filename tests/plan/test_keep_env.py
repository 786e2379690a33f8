"""`--keep-env`: a plan without the secrets, for a machine that has none of them."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.desired import desired_host
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, fresh, plan_of

SECTIONS: dict[str, Any] = {"env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]}}
NOTE = "Note: Secrets are kept as they are on the hosts (--keep-env); changes of them are not compared.\n"
NONE: dict[str, str] = {}


def test_what_is_on_the_hosts_is_taken_for_right(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v2")
    without = config(**SECTIONS, environ=NONE)
    assert plan_of(without, seen, run_id="f" * 32, keeps_env=True) == f"{NOTE}shop v2: nothing to change.\n"


def test_everything_but_secrets_is_planned(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v1")
    edited = config(env={"clear": {"COLOR": "green"}, "secret": ["TOP_SECRET"]}, environ=NONE)
    assert plan_of(edited, seen, keeps_env=True) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2  1 host does not have it

        web: 192.0.2.1
          + image     acme/shop:v2  not on the host
          ± container shop-web-v2   version v1 → v2
            env COLOR: blue → green

        Note: Secrets are kept as they are on the hosts (--keep-env); changes of them are not compared.
        Plan: 1 to replace, 2 to create, 0 to change, 0 to remove, 3 unchanged.
        """)


def test_other_secrets_on_the_hosts_are_left_alone(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v2")
    rotated = config(**SECTIONS, environ={"TOP_SECRET": "other", "REGISTRY_PASSWORD": "x"})
    assert plan_of(rotated, seen, run_id="f" * 32, keeps_env=True) == f"{NOTE}shop v2: nothing to change.\n"


def test_a_file_that_others_may_read_is_protected_all_the_same(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v2")
    path = ".kamal/env/roles/shop-web.env"
    seen = replace(seen, files={**seen.files, path: replace(seen.files[path], mode="644")})
    text = plan_of(config(**SECTIONS, environ=NONE), seen, run_id="f" * 32, keeps_env=True)
    assert f"  ~ env file  {path}  mode 644 → 600\n" in text


def test_a_host_without_the_files_is_refused(config: MakeConfig) -> None:
    with pytest.raises(PlanRefused) as refused:
        plan_of(config(**SECTIONS, environ=NONE), fresh(), keeps_env=True)
    assert str(refused.value).splitlines() == [
        f"192.0.2.1: {path} is not there, so --keep-env cannot keep it; give the secrets once"
        for path in (".kamal/env/roles/shop-web.env", ".kamal/env/traefik/traefik.env")
    ]


def test_a_secret_that_the_host_does_not_have_is_refused_by_name(config: MakeConfig) -> None:
    """The container would start without it."""
    seen = deployed(config(**SECTIONS), "v2")
    more = config(env={"secret": ["TOP_SECRET", "NEW_SECRET"]}, environ=NONE)
    with pytest.raises(PlanRefused) as refused:
        plan_of(more, seen, run_id="f" * 32, keeps_env=True)
    assert str(refused.value) == (
        "192.0.2.1: .kamal/env/roles/shop-web.env has no NEW_SECRET, so --keep-env cannot keep it; "
        "give the secrets once"
    )


def test_without_a_password_no_host_is_logged_in(config: MakeConfig) -> None:
    assert desired_host(a_run(config(**SECTIONS, environ=NONE), keeps_env=True), HOST).registry is None
    known = desired_host(a_run(config(**SECTIONS), keeps_env=True), HOST).registry
    assert known is not None
    assert known.username == "acme"
