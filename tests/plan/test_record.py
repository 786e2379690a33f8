"""What a run writes down for the next one, and what it makes of what it finds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.state.observed import FORMAT_VERSION, Record, parse_record, record_text
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, fresh

TEXTS = st.dictionaries(st.text(), st.text())
RECORDS = st.builds(
    Record,
    version=st.text(),
    hosts=st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9.]{0,9}", fullmatch=True), st.lists(st.text()).map(tuple)),
    containers=TEXTS,
    env_files=TEXTS,
    proxy=st.text(),
    service=st.text(),
    destination=st.text(),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(RECORDS)
def test_a_record_is_one_line_that_reads_back(record: Record) -> None:
    text = record_text(record)
    assert "\n" not in text
    assert parse_record(text) == record


@given(st.text())
def test_what_cannot_be_read_counts_as_none(text: str) -> None:
    assert parse_record(text) is None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(json.loads(record_text(Record())), JSON)))
def test_a_record_that_was_tampered_with_is_a_record_or_none(values: dict[str, Any]) -> None:
    found = parse_record(json.dumps(values))
    assert found is None or parse_record(record_text(found)) == found


@pytest.mark.parametrize("field", ["format_version", "version", "hosts", "containers", "env_files", "proxy"])
def test_a_record_without_a_field_counts_as_none(field: str) -> None:
    values = json.loads(record_text(Record(version="v1")))
    del values[field]
    assert parse_record(json.dumps(values)) is None


def test_a_newer_record_counts_as_none_and_a_field_of_tomorrow_is_left_alone() -> None:
    values = json.loads(record_text(Record(version="v1")))
    assert parse_record(json.dumps(values | {"format_version": FORMAT_VERSION + 1})) is None
    assert parse_record(json.dumps(values | {"tomorrow": 1})) == Record(version="v1")


def recorded(run: Any, record: Record | None = None) -> Record:
    """What the run writes down on the first host."""
    return next_record(Comparison(desired_host(run, HOST), fresh(record=record)))


def test_a_run_writes_down_what_it_left(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": ["192.0.2.2", HOST]}, env={"secret": ["TOP_SECRET"]}, destination="eu")
    run = a_run(two)
    desired = desired_host(run, HOST)
    assert desired.proxy is not None
    assert recorded(run) == Record(
        version="v2",
        hosts={HOST: ("web", "job"), "192.0.2.2": ("job",)},
        containers={container.name: container.digest for container in desired.containers},
        env_files={file.path: file.digest for file in desired.env_files},
        proxy=desired.proxy.digest,
        service="shop",
        destination="eu",
    )


BEFORE = Record(
    version="v1",
    hosts={HOST: ("web",), "192.0.2.9": ("job",)},
    containers={"shop-web-v1": "old"},
    env_files={".kamal/env/roles/shop-job.env": "old"},
    proxy="old",
)


def test_a_whole_run_forgets_containers_and_files_of_before_but_no_host(config: MakeConfig) -> None:
    after = recorded(a_run(config()), BEFORE)
    assert after.hosts == {HOST: ("web",), "192.0.2.9": ("job",)}
    assert sorted(after.containers) == ["shop-web-v2"]
    assert sorted(after.env_files) == [".kamal/env/roles/shop-web.env", ".kamal/env/traefik/traefik.env"]


@pytest.mark.parametrize("fields", [{"forgotten": ("192.0.2.9",)}, {"decommissioned": ("192.0.2.9",)}])
def test_hosts_that_are_done_with_are_no_longer_written_down(config: MakeConfig, fields: dict[str, Any]) -> None:
    assert recorded(a_run(config(), **fields), BEFORE).hosts == {HOST: ("web",)}


def test_a_run_of_some_roles_keeps_what_it_did_not_touch(config: MakeConfig) -> None:
    after = recorded(a_run(config(servers={"web": [HOST], "job": [HOST]}), roles=("job",)), BEFORE)
    assert sorted(after.containers) == ["shop-job-v2", "shop-web-v1"]
    assert after.env_files[".kamal/env/roles/shop-job.env"] != "old"
    assert after.proxy == "old"


def test_a_run_that_keeps_secrets_keeps_what_is_known_of_them(config: MakeConfig) -> None:
    after = recorded(a_run(config(env={"secret": ["TOP_SECRET"]}), keeps_env=True), BEFORE)
    assert after.env_files == BEFORE.env_files


def test_a_redeploy_keeps_what_is_known_of_the_proxy(config: MakeConfig) -> None:
    assert recorded(a_run(config(), command="redeploy"), BEFORE).proxy == "old"
    assert recorded(a_run(config(), command="redeploy"), replace(BEFORE, proxy="")).proxy == ""
