"""Whatever the input: a configuration, or located problems; and merging behaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.config.document.source import parse_env_file
from kamal_pyinfra.config.document.tree import Map, Node, Place, Position, Scalar, Seq, merge
from kamal_pyinfra.config.env import env_file_problem, env_file_text
from kamal_pyinfra.config.secrets import redacted_dict
from kamal_pyinfra.errors import ConfigError

IN_PROJECT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
PROBLEM = re.compile(r"(config/deploy(\.x)?\.yml|\.env(\.x)?):[1-9]\d*:[1-9]\d* \S")
WORDS = [
    *Config.model_fields,
    *("web", "hosts", "clear", "secret", "tags", "host", "roles", "cmd", "options", "port", "user", "x-y", "<<"),
    *("a", "1", "true", "~", "${A}", '<%= ENV["A"] %>', "<%= 1 %>", "&a", "*a", "!x", "- ", ": ", "{", "}", "["),
    *("]", "\n", "\n  ", "\t", "'", '"', "|", ">", "#", "---", "\\", "\ue0000\ue002", "\0"),
]
KEYS = st.sampled_from([*Config.model_fields, "web", "clear", "secret", "tags", "hosts", "x", "", "a b", "cord"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(KEYS, child, max_size=4),
    max_leaves=15,
)
VALID: dict[str, Any] = {
    "service": "s",
    "image": "i",
    "servers": ["a"],
    "registry": {"username": "u", "password": "p"},
}


@pytest.fixture
def load_text(project: Path):
    def loaded(text: str, other: str | None = None) -> Config | None:
        (project / "config/deploy.yml").write_text(text, encoding="utf-8", errors="surrogateescape")
        (project / "config/deploy.x.yml").write_text(other or "", encoding="utf-8", errors="surrogateescape")
        return config_or_problems(None if other is None else "x")

    return loaded


def config_or_problems(destination: str | None) -> Config | None:
    try:
        return load_config(destination=destination, environ={"A": "b"})
    except ConfigError as error:
        found = error.problems
    assert found
    assert [line for line in found if "\n" in line or not PROBLEM.match(line)] == []
    return None


@IN_PROJECT
@given(words=st.lists(st.sampled_from(WORDS), max_size=25))
@example(words=["a: ", '"\\uE0000\\uE002"'])
@example(words=["service: ", "\ue000", "7", "\ue002"])
def test_any_text_gives_a_configuration_or_problems(load_text, words: list[str]) -> None:
    load_text("".join(words))


@IN_PROJECT
@given(text=st.text(max_size=60))
def test_any_characters_give_a_configuration_or_problems(load_text, text: str) -> None:
    load_text("service: " + text.encode(errors="ignore").decode())


@IN_PROJECT
@given(data=st.binary(max_size=40))
def test_any_bytes_give_a_configuration_or_problems(project: Path, data: bytes) -> None:
    (project / "config/deploy.yml").write_bytes(data)
    config_or_problems(None)


@IN_PROJECT
@given(keys=st.dictionaries(KEYS, TREES, max_size=4), other=st.dictionaries(KEYS, TREES, max_size=3))
def test_any_tree_gives_a_configuration_or_problems(
    load_text,
    keys: dict[str, Any],
    other: dict[str, Any],
):
    config = load_text(yaml.safe_dump(VALID | keys), yaml.safe_dump(other))
    if config is not None:
        json.dumps(redacted_dict(config))
        assert config.primary_host in {server.host for server in config.role_hosts}
        assert all(config.env_for(role.name, server.host) for role in config.roles for server in role.servers)


@IN_PROJECT
@given(text=st.text(max_size=60))
def test_any_env_file_gives_values_or_problems(text: str) -> None:
    parse_env_file(text, ".env", {"A": "b"})


PLACE = Place(Position("f", 1, 1), "")
NODES = st.recursive(
    st.integers(0, 9).map(lambda n: Scalar(n, str(n), PLACE)),
    lambda child: (
        st.lists(child, max_size=2).map(lambda items: Seq(items, PLACE))
        | st.dictionaries(st.sampled_from("abc"), child, max_size=3).map(lambda entries: Map(entries, PLACE))
    ),
    max_leaves=8,
)
MAPS = st.dictionaries(st.sampled_from("abc"), NODES, max_size=3).map(lambda entries: Map(entries, PLACE))


@given(node=MAPS)
def test_merging_nothing_changes_nothing(node: Map) -> None:
    empty = Map({}, PLACE)
    assert merge(node, empty) == merge(empty, node) == merge(node, node) == node


def same_shape(one: Node, other: Node) -> bool:
    """Whether no map of one meets a value of the other that is not a map."""
    if isinstance(one, Map) and isinstance(other, Map):
        return all(same_shape(one[key], other[key]) for key in one.keys() & other.keys())
    return isinstance(one, Map) == isinstance(other, Map)


@given(one=MAPS, two=MAPS, three=MAPS)
def test_merging_is_associative_where_maps_meet_maps(one: Map, two: Map, three: Map) -> None:
    # Elsewhere it is not, in Kamal either: a scalar in the middle wipes out a map that another order keeps.
    if same_shape(one, two) and same_shape(two, three) and same_shape(one, three):
        assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(one=MAPS, two=MAPS)
def test_merging_keeps_every_key_and_leaves_its_arguments_alone(one: Map, two: Map) -> None:
    before = (repr(one), repr(two))
    merged = merge(one, two)
    assert isinstance(merged, Map)
    assert merged.keys() == one.keys() | two.keys()
    assert (repr(one), repr(two)) == before


CLEAR = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@IN_PROJECT
@given(values=st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,9}\Z"), CLEAR, max_size=4))
def test_clear_values_reach_the_containers_environment_unchanged(load_text, values: dict[str, str]) -> None:
    values = {name: value for name, value in values.items() if "<%" not in value}
    config = load_text(json.dumps(VALID | {"env": {"clear": values}}, ensure_ascii=False))
    assert config is not None
    assert config.env_for("web", "a").clear == values


@given(values=st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,9}\Z"), st.text(max_size=20), max_size=4))
def test_secrets_survive_the_env_file_that_docker_reads(values: dict[str, str]) -> None:
    carried = {name: value for name, value in values.items() if env_file_problem(name, SecretStr(value)) is None}
    text = env_file_text({name: SecretStr(value) for name, value in carried.items()}).get_secret_value()
    lines = [line for line in text.split("\n") if line]
    assert dict(line.split("=", 1) for line in lines) == carried
