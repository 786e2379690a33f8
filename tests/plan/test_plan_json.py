"""The plan as JSON is what its schema says, for every plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from kamal_pyinfra.plan.output.document import PlanDocument, plan_document
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import Status
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/reference/plan.schema.json").read_text())
FULL: dict[str, Any] = {
    "servers": {"web": [HOST], "job": {"hosts": [HOST, "192.0.2.2"]}},
    "asset_path": "/app/public",
    "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
}


def documents(config: MakeConfig) -> list[dict[str, Any]]:
    """A first deploy, a new version with drift, an edit, nothing to do, and hosts that left."""
    full = config(**FULL)
    other = fresh("192.0.2.2")
    stopped = altered(deployed(full, "v1"), "traefik", status=Status.EXITED)
    edited = config(**(FULL | {"env": {"clear": {"COLOR": "green"}, "secret": ["OTHER_SECRET"]}}))
    cases = [
        (a_run(full), {HOST: fresh(), "192.0.2.2": other}),
        (a_run(full), {HOST: stopped, "192.0.2.2": other}),
        (a_run(edited, run_id="f" * 32), {HOST: deployed(full, "v2")}),
        (a_run(full, run_id="f" * 32), {HOST: deployed(full, "v2")}),
        (a_run(full, decommissioned=("192.0.2.9",)), {"192.0.2.9": deployed(full, "v2", "192.0.2.9")}),
        (a_run(full, keeps_env=True), {HOST: deployed(full, "v1")}),
    ]
    return [json.loads(plan_document(make_plan(run, seen)).model_dump_json()) for run, seen in cases]


def test_every_plan_is_what_the_published_schema_says(config: MakeConfig) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for document in documents(config):
        Draft202012Validator(SCHEMA).validate(document)
        assert PlanDocument.model_validate(document).model_dump(mode="json") == document


@pytest.mark.parametrize(
    "damage", [{"hosts": None}, {"format_version": "1"}, {"tomorrow": 1}, {"summary": {}}, {"build": "yes"}]
)
def test_the_schema_refuses_what_is_no_plan(config: MakeConfig, damage: dict[str, Any]) -> None:
    document = documents(config)[0]
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(document | damage)


def test_every_field_is_described_and_always_there() -> None:
    for name, model in {"plan": SCHEMA, **SCHEMA["$defs"]}.items():
        assert sorted(model["required"]) == sorted(model["properties"]), name
        assert all(field.get("description") for field in model["properties"].values()), name
        assert model["additionalProperties"] is False, name


def test_what_is_folded_in_text_is_whole_in_json(config: MakeConfig) -> None:
    document = documents(config)[1]
    changes = document["hosts"][0]["changes"]
    brought = [(each["action"], each["kind"], each["part_of"]) for each in changes if each["part_of"]]
    assert brought == [
        ("update", "registry", "acme/shop:v2"),
        ("update", "assets", "shop-web-v2"),
        ("remove", "container", "shop-web-v2"),
        ("remove", "container", "shop-job-v2"),
        ("update", "tag", "shop-web-v2"),
        ("remove", "directory", "shop-web-v2"),
        ("remove", "directory", "shop-web-v2"),
        ("remove", "directory", "shop-web-v2"),
    ]
    assert sum(value for key, value in document["summary"].items() if key != "unchanged") == 1 + sum(
        not each["part_of"] for host in document["hosts"] for each in host["changes"]
    )


def test_drift_is_a_field_of_each_change(config: MakeConfig) -> None:
    drifted = [each["subject"] for host in documents(config)[1]["hosts"] for each in host["changes"] if each["drift"]]
    assert drifted == ["traefik"]


def test_differences_are_fields_with_before_and_after(config: MakeConfig) -> None:
    (host,) = documents(config)[2]["hosts"]
    differences = {each["subject"]: each["differences"] for each in host["changes"] if each["action"] == "replace"}
    assert differences["shop-web-v2"] == [
        {"field": "secret OTHER_SECRET", "before": "", "after": "added"},
        {"field": "secret TOP_SECRET", "before": "", "after": "removed"},
        {"field": "env COLOR", "before": "blue", "after": "green"},
    ]


def test_what_hosts_say_of_themselves_is_json_whatever_it_is(config: MakeConfig) -> None:
    odd = 'two\nlines "\x1b[31m\u2028'
    seen = altered(deployed(config(env={"COLOR": odd}), "v2"), "shop-web-v2", env={"COLOR": odd})
    found = make_plan(a_run(config(env={"COLOR": "blue"}), run_id="f" * 32), {HOST: replace(seen, record=None)})
    document = json.loads(plan_document(found).model_dump_json())
    (difference,) = document["hosts"][0]["changes"][0]["differences"]
    assert difference == {"field": "env COLOR", "before": odd, "after": "blue"}
