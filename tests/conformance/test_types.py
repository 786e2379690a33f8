"""Every key of the configuration refuses every type that it should not have, as Kamal 1.9 does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.config.conftest import BASE, Load, Problems
from tests.config.test_reference import REFERENCE

A_STRING = """
    service image asset_path hooks_path primary_role minimum_version run_directory
    servers/web/cmd servers/web/asset_path servers/web/healthcheck/cmd servers/web/logging/driver
    registry/server registry/username registry/password
    ssh/user ssh/port ssh/proxy ssh/proxy_command ssh/log_level
    builder/context builder/dockerfile builder/target builder/ssh
    builder/local/arch builder/local/host builder/remote/arch builder/remote/host
    builder/cache/type builder/cache/options builder/cache/image
    accessories/db/service accessories/db/image accessories/db/host accessories/db/port accessories/db/cmd
    traefik/image traefik/host_port boot/limit boot/max_unavailable logging/driver
    healthcheck/cmd healthcheck/interval healthcheck/port healthcheck/path healthcheck/cord
"""
AN_INTEGER = """
    stop_wait_time deploy_timeout drain_timeout pull_timeout
    retain_containers readiness_delay boot/wait healthcheck/max_attempts healthcheck/log_lines
    sshkit/max_concurrent_starts sshkit/pool_idle_timeout
"""
A_BOOLEAN = "require_destination allow_empty_roles servers/web/traefik ssh/keys_only builder/multiarch traefik/publish"
AN_ARRAY = """
    volumes env/secret servers/web/hosts servers/web/env/secret ssh/keys ssh/key_data builder/secrets
    accessories/db/hosts accessories/db/roles accessories/db/files accessories/db/directories
    accessories/db/volumes accessories/db/env/secret traefik/env/secret
"""
A_HASH = """
    registry labels env env/clear env/tags env/tags/x ssh sshkit builder builder/local builder/remote builder/cache
    builder/args servers/web/options servers/web/healthcheck servers/web/logging servers/web/logging/options
    servers/web/labels servers/web/env servers/web/env/clear
    accessories accessories/db accessories/db/labels accessories/db/options accessories/db/env
    traefik traefik/labels traefik/args traefik/options traefik/env boot healthcheck logging logging/options
"""
TYPES = {
    "a string": (A_STRING, ("[x, y]", "{a: b}", "~")),
    "an integer": (AN_INTEGER, ("'3'", "1.5", "true", "[1]", "{a: 1}", "~")),
    "a boolean": (A_BOOLEAN, ("'yes'", "1", "[true]", "{a: true}", "~")),
    "an array": (AN_ARRAY, ("x", "1", "{a: b}", "~")),
    "a hash": (A_HASH, ("x", "1", "[x]", "~")),
    "an array or a hash": ("servers servers/web", ("x", "1", "~")),
}
LOOKUP = "should be a string or an array with one string (for secret lookup)"
IN_OTHER_WORDS = {
    ("registry/username", "[x, y]"): LOOKUP,
    ("registry/password", "[x, y]"): LOOKUP,
    ("accessories/db/host", "[x, y]"): "should be a string or a hash",
}
BESIDE = {
    "registry": {"username": "u", "password": "p"},
    "servers/web": {"hosts": "[a]"},
    "accessories/db": {"image": "x", "host": "a"},
    "builder/cache": {"type": "gha"},
}
"""What a section must have, so that the tested value is its only fault."""
OTHER_HOSTS = {"host", "hosts", "roles"}
LISTS_OF_TEXT = [path for path in AN_ARRAY.split() if not path.endswith("hosts")]
TEXTS = """
    labels env env/clear env/tags/x servers/web/labels servers/web/logging/options accessories/db/labels
    traefik/labels logging/options
"""
MAPS_OF_TEXT = TEXTS.split()
SECTIONS = [path for path in A_HASH.split() if path not in MAPS_OF_TEXT and not path.endswith(("env", "env/clear"))]
FREE_MAPS = ["servers/web/options", "accessories/db/options", "traefik/args", "traefik/options"]


def cases() -> Iterator[object]:
    """Key, wrong value and what is said of it."""
    for words, (paths, values) in TYPES.items():
        for path in paths.split():
            for value in values:
                if (path, value) != ("accessories/db/host", "{a: b}"):  # a host with a tag, refused as such
                    said = IN_OTHER_WORDS.get((path, value), f"should be {words}")
                    yield pytest.param(path, value, said, id=f"{path} is {value}")


def written(path: str, value: str) -> dict[str, str]:
    """A root key with a value below it."""
    steps = path.split("/")
    for depth in range(len(steps) - 1, 0, -1):
        section, key = "/".join(steps[:depth]), steps[depth]
        beside = {name: text for name, text in BESIDE.get(section, {}).items() if name != key}
        if key in OTHER_HOSTS:
            beside.pop("host", None)
        value = "{" + ", ".join(f"{name}: {text}" for name, text in {**beside, key: value}.items()) + "}"
    return {steps[0]: value}


@pytest.mark.parametrize(("path", "value", "expected"), list(cases()))
def test_a_value_of_another_type_is_one_line_with_file_line_key_and_what_it_should_be(
    problems: Problems, path: str, value: str, expected: str
) -> None:
    keys = written(path, value)
    ((root, text),) = keys.items()
    line = [*(BASE | keys)].index(root) + 1
    column = f"{root}: {text}".rindex(value) + 1
    assert problems(**keys) == f"{line}:{column} {path}: {expected}"


@pytest.mark.parametrize("path", LISTS_OF_TEXT)
def test_a_list_holds_text(problems: Problems, path: str) -> None:
    assert problems(**written(path, "[{a: b}]")).endswith(f" {path}/0: should be a string")


@pytest.mark.parametrize("path", MAPS_OF_TEXT)
def test_a_map_holds_text(problems: Problems, path: str) -> None:
    for value in ("[x]", "~", "{b: c}"):
        assert problems(**written(path, f"{{A: {value}}}")).endswith(f" {path}/A: should be a string")


@pytest.mark.parametrize("path", FREE_MAPS)
def test_an_option_may_be_anything_that_a_command_line_can_say(load: Load, path: str) -> None:
    load(**written(path, "{a: text, b: 1, c: true, d: [x, y], e: ~}"))


@pytest.mark.parametrize("path", sorted({*SECTIONS} - {*FREE_MAPS, "accessories", "builder/args", "env/tags"}))
def test_a_section_has_no_other_keys(problems: Problems, path: str) -> None:
    assert f" {path}: unknown key: x-bogus" in problems(**written(f"{path}/x-bogus", "1"))


@pytest.mark.parametrize("value", ["text", "12", "1.50", "true"])
def test_text_may_be_written_as_a_number_or_boolean(load: Load, value: str) -> None:
    config = load(labels=f"{{a: {value}}}", env=f"{{A: {value}}}", asset_path=value)
    assert (config.labels["a"], config.env.clear["A"], config.asset_path) == (value, value, value)


def test_only_root_keys_may_begin_with_x(load: Load, problems: Problems) -> None:
    load(**{"x-anything": "{a: [1]}"})
    assert problems(boot="{x-a: 1}") == "5:8 boot: unknown key: x-a"


def test_every_key_of_kamals_is_in_one_of_these_tables() -> None:
    tested = {path for paths, _ in TYPES.values() for path in paths.split()}
    names = {"ROLE": "web", "NAME": "db", "TAG": "x"}
    for model, (place, *_) in REFERENCE.sections().items():
        for name, field in model.model_fields.items():
            path = "/".join(names.get(step, step) for step in filter(None, [*place.split("."), name]))
            if REFERENCE.is_ours(field) or path.startswith("servers/web/hosts/"):
                continue
            assert path in tested, path
