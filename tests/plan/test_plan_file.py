"""A plan in a file: carried out as it was read, or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.plan.output.file import PlanFile, parse_plan_file, plan_file, require_same_plan, require_unchanged
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import ObservedHost, ObservedImage, Record, Status
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, without

SECTIONS: dict[str, Any] = {"asset_path": "/app/public", "env": {"secret": ["TOP_SECRET"]}}
ENV_FILE = ".kamal/env/roles/shop-web.env"


def file_of(config: Config, seen: ObservedHost, **fields: Any) -> PlanFile:
    run = a_run(config, **fields)
    fleet = {seen.host: seen}
    return plan_file(run, make_plan(run, fleet), fleet)


def test_a_plan_reads_back_from_its_file(config: MakeConfig) -> None:
    file = file_of(config(**SECTIONS), deployed(config(**SECTIONS), "v1"), roles=("web",), forgotten=("192.0.2.9",))
    assert parse_plan_file(file.model_dump_json(indent=2), "plan.json") == file
    assert file.run.model_dump() == {
        "version": "v2",
        "command": "deploy",
        "run_id": "2" * 32,
        "destination": None,
        "roles": ("web",),
        "hosts": (HOST,),
        "is_build_allowed": True,
        "keeps_env": False,
        "decommissioned": (),
        "replaces_edited": False,
        "forgotten": ("192.0.2.9",),
    }


def test_no_secret_and_no_sum_of_one_is_in_the_file(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v1")
    text = file_of(config(**SECTIONS), seen).model_dump_json()
    sums = {file.digest for file in seen.files.values()} | {each.secrets or "-" for each in seen.containers}
    assert [each for each in (*SECRETS.values(), *(sums - {"-"})) if each in text] == []


def test_the_plan_of_an_unmoved_fleet_is_the_same(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v1")
    file = file_of(config(**SECTIONS), seen)
    require_unchanged(file, {HOST: seen})
    assert require_same_plan(file, a_run(config(**SECTIONS)), {HOST: seen}).version == "v2"


Move = Callable[[ObservedHost], ObservedHost]
MOVES: dict[str, tuple[Move, list[str]]] = {
    "another container": (
        lambda host: altered(host, "shop-web-v1", id="new"),
        ["192.0.2.1: container shop-web-v1 id: id-of-shop-web-v1 → new"],
    ),
    "a stopped container": (
        lambda host: altered(host, "shop-web-v1", status=Status.EXITED, health="unhealthy"),
        [
            "192.0.2.1: container shop-web-v1 health: healthy → unhealthy",
            "192.0.2.1: container shop-web-v1 state: running → exited",
        ],
    ),
    "an updated container": (
        lambda host: altered(host, "traefik", options={**host.containers[1].options, "Memory": (1,)}),
        ["192.0.2.1: container traefik Memory: (absent) → 1"],
    ),
    "an image": (
        lambda host: replace(host, images=(*host.images, ObservedImage(reference="acme/shop:v9", id="sha256:9"))),
        ["192.0.2.1: image acme/shop:v9: (absent) → sha256:9"],
    ),
    "a cord": (
        lambda host: replace(host, cords=dict.fromkeys(host.cords, False)),
        [f"192.0.2.1: cord .kamal/cords/shop-web-{'1' * 32}: tied → cut"],
    ),
    "the mode of a file": (
        lambda host: replace(host, files={**host.files, ENV_FILE: replace(host.files[ENV_FILE], mode="644")}),
        [f"192.0.2.1: env file {ENV_FILE}: mode 600 → mode 644"],
    ),
    "a directory": (
        lambda host: replace(host, directories=host.directories - {".kamal/locks"}),
        ["192.0.2.1: directory .kamal/locks: present → (absent)"],
    ),
    "the engine": (
        lambda host: replace(host, docker=replace(host.docker, version="27.0")),
        ["192.0.2.1: docker: 26.1.5 → 27.0"],
    ),
    "another run": (
        lambda host: replace(host, record=Record(version="v1")),
        ["192.0.2.1: version of the last run: (absent) → v1"],
    ),
}


@pytest.mark.parametrize("kind", MOVES)
def test_a_fleet_that_moved_is_refused_and_what_moved_is_said(config: MakeConfig, kind: str) -> None:
    move, lines = MOVES[kind]
    seen = deployed(config(**SECTIONS), "v1")
    with pytest.raises(PlanRefused) as refused:
        require_unchanged(file_of(config(**SECTIONS), seen), {HOST: move(seen)})
    assert str(refused.value).splitlines() == [
        "The fleet has changed since the plan was made; nothing was changed.",
        *(f"  {line}" for line in lines),
        "Run `kp plan --out` again and read the new plan.",
    ]


def test_a_host_more_or_less_is_a_move(config: MakeConfig) -> None:
    seen = deployed(config(), "v1")
    file = file_of(config(), seen)
    for fleet in ({}, {HOST: seen, "192.0.2.2": replace(seen, host="192.0.2.2")}):
        with pytest.raises(PlanRefused, match="The fleet has changed"):
            require_unchanged(file, fleet)


def test_of_many_moves_the_first_are_shown(config: MakeConfig) -> None:
    seen = deployed(config(), "v1")
    more = tuple(ObservedImage(reference=f"acme/shop:v{number:02}", id="sha256:x") for number in range(10, 40))
    with pytest.raises(PlanRefused) as refused:
        require_unchanged(file_of(config(), seen), {HOST: replace(seen, images=(*seen.images, *more))})
    lines = str(refused.value).splitlines()
    assert len(lines) == 23
    assert lines[-2] == "  and 10 more"


def test_another_configuration_is_refused_and_both_plans_are_told_apart(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    file = file_of(config(env={"COLOR": "blue"}), seen, run_id="f" * 32)
    with pytest.raises(PlanRefused) as refused:
        require_same_plan(file, a_run(config(env={"COLOR": "green"}), run_id="f" * 32), {HOST: seen})
    line = "192.0.2.1: replace container shop-web-v2, env COLOR: (not set) → {0} env COLOR (not set) {0}"
    assert str(refused.value).splitlines() == [
        "The plan would be another one today; nothing was changed.",
        f"  no longer planned: {line.format('blue')}",
        f"  newly planned: {line.format('green')}",
        "Run `kp plan --out` again and read the new plan.",
    ]


def test_another_secret_is_refused_where_it_makes_another_plan(config: MakeConfig) -> None:
    seen = deployed(config(**SECTIONS), "v2")
    file = file_of(config(**SECTIONS), without(seen, "traefik"), run_id="f" * 32)
    rotated = config(**SECTIONS, environ=SECRETS | {"TOP_SECRET": "new"})
    with pytest.raises(
        PlanRefused, match=r"newly planned: 192\.0\.2\.1: replace container .* secret TOP_SECRET changed"
    ):
        require_same_plan(file, a_run(rotated, run_id="f" * 32), {HOST: without(seen, "traefik")})


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_plan_file(text, "plan.json")
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file: Invalid JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "the file: Input should be an object"),
        ("{}", "format_version: Field required"),
        ("[" * 100_000, "the file: Invalid JSON: recursion limit exceeded at line 1 column 202"),
    ],
)
def test_what_is_no_plan_is_one_clear_line(text: str, said: str) -> None:
    assert refusal(text) == f"plan.json: {said}; write it with `kp plan --out plan.json`"


def is_one_line(text: str) -> bool:
    """Whether a terminal shows it on one line and obeys nothing in it."""
    return re.search(r"[\x00-\x1f\x7f-\x9f]", text) is None


@given(st.text())
def test_no_text_is_more_than_one_clear_line(text: str) -> None:
    line = refusal(text)
    assert is_one_line(line)
    assert line.startswith("plan.json: ")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=4,
)


@st.composite
def tampered(draw: st.DrawFn, value: Any) -> Any:
    """A document with one thing in it replaced, taken away or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        return value | {key: draw(tampered(value[key]))}
    if isinstance(value, dict) and draw(st.booleans()):
        return {key: each for key, each in value.items() if draw(st.booleans())} | draw(
            st.dictionaries(st.text(), JSON, max_size=1)
        )
    return draw(JSON)


@given(data=st.data())
def test_a_file_that_was_tampered_with_is_a_plan_or_one_clear_line(data: st.DataObject) -> None:
    text = json.dumps(data.draw(tampered(WHOLE)))
    assert is_one_line(read_or_refused(text))


def read_or_refused(text: str) -> str:
    """The command of the plan, or why there is none."""
    try:
        return parse_plan_file(text, "plan.json").run.command
    except ConfigError as refused:
        return str(refused)


WHOLE: dict[str, Any] = {
    "format_version": 1,
    "run": {
        "version": "v2",
        "command": "deploy",
        "run_id": "2" * 32,
        "destination": None,
        "roles": [],
        "hosts": [HOST],
        "is_build_allowed": True,
        "keeps_env": False,
        "decommissioned": [],
        "replaces_edited": False,
        "forgotten": [],
    },
    "plan": {
        "format_version": 1,
        "service": "shop",
        "version": "v2",
        "command": "deploy",
        "build": None,
        "hosts": [
            {
                "host": HOST,
                "roles": ["web"],
                "changes": [
                    {
                        "action": "create",
                        "kind": "image",
                        "subject": "acme/shop:v2",
                        "role": "",
                        "cause": "not on the host",
                        "differences": [{"field": "f", "before": "", "after": "changed"}],
                        "drift": False,
                        "part_of": "",
                    }
                ],
                "unchanged": 3,
                "notes": [],
                "advice": [],
            }
        ],
        "notes": [],
        "summary": {"replace": 0, "create": 1, "change": 0, "remove": 0, "unchanged": 3},
    },
    "fleet": {HOST: {"docker": "26.1.5"}},
}


def test_the_document_that_is_tampered_with_is_a_plan() -> None:
    assert parse_plan_file(json.dumps(WHOLE), "plan.json").plan.service == "shop"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "../../etc"),
        ("run_id", "2" * 31),
        ("run_id", "2" * 32 + "\n"),
        ("version", "v2; id"),
        ("version", "-v"),
        ("command", "remove"),
    ],
)
def test_what_becomes_a_path_or_a_command_is_checked(field: str, value: str) -> None:
    line = refusal(json.dumps(WHOLE | {"run": WHOLE["run"] | {field: value}}))
    assert line.startswith(f"plan.json: run/{field}: ")
    assert is_one_line(line)


def test_a_plan_of_another_release_is_refused() -> None:
    assert refusal(json.dumps(WHOLE | {"format_version": 2})) == "plan.json: format 2 is not 1; plan again with this kp"
