"""ERB and ``${NAME}``: values from the environment, and nothing else."""

from __future__ import annotations

import pytest

from kamal_pyinfra.errors import ConfigError
from tests.config.conftest import FIXTURES, Load, Problems, fixture

ENVIRON = {
    "NAME": "shop",
    "ORG": "acme",
    "FIRST": "192.0.2.1",
    "REGISTRY": "r.example.com",
    "DELAY": "3",
    "EMPTY": "",
    "EVIL": "x\n- y: [z]\n${NAME} <%= 1 %> '\"",
}
NOT_UNDERSTOOD = (
    'this ERB is not understood: Ruby is not run here; only <%= ENV["NAME"] %> and '
    '<%= ENV.fetch("NAME", "default") %> are replaced. '
    "Compute the value before kp starts and pass it in as a variable"
)


def test_values_come_from_the_environment() -> None:
    config = fixture("erb", **ENVIRON)
    assert (config.service, config.image) == ("shop", "acme/shop")
    assert (config.registry.server, config.registry.username) == ("r.example.com", "bot-shop")
    assert [server.host for server in config.role_hosts] == ["192.0.2.1", "192.0.2.2"]
    assert (config.healthcheck.port, config.readiness_delay) == (8080, 3)
    assert config.healthcheck.cmd == 'test "${HOME}" = shop'


def test_what_a_variable_holds_is_never_read_as_yaml_or_replaced_again() -> None:
    config = fixture("erb", **ENVIRON)
    assert config.env.clear["TAKEN"] == ENVIRON["EVIL"]
    assert config.labels == {"shop.team": ENVIRON["EVIL"]}


def test_references_in_env_are_left_for_the_host() -> None:
    assert fixture("erb", **ENVIRON).env.clear["KEPT"] == "${NAME} on ${HOSTNAME}"


def test_other_forms_of_dollar_are_left_alone() -> None:
    assert fixture("erb", **ENVIRON).volumes == ("$PWD/x:/x", "", "${A:-b}")


def test_every_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError) as error:
        fixture("erb")
    lines = str(error.value).replace(f"{FIXTURES}/deploy_erb.yml:", "").splitlines()
    wanted = [
        "2:10 service: NAME",
        "3:8 image: NAME",
        "3:8 image: ORG",
        "5:11 registry/server: REGISTRY",
        "6:13 registry/username: NAME",
        "8:11 servers/0: FIRST",
        "11:8 healthcheck/cmd: NAME",
        "12:18 readiness_delay: DELAY",
        "16:12 env/clear/TAKEN: EVIL",
        "18:3 labels: NAME",
        "18:28 labels/.team: EVIL",
        "20:24 volumes/1: EMPTY",
    ]
    way_out = " is not set; add it to .env or export it"
    assert lines == [line + way_out for line in wanted]


@pytest.mark.parametrize(
    "ruby",
    [
        "<%= `hostname` %>",
        '<%= ENV["A"] || "b" %>',
        '<%= ENV["A"].downcase %>',
        '<%= ENV.fetch("A") { "b" } %>',
        "<% if true %>",
        "<%= ENV[A] %>",
        "<%= ENV[\"A'] %>",
        "<%= unfinished",
    ],
)
def test_any_other_ruby_is_refused(problems: Problems, ruby: str) -> None:
    assert problems(asset_path=ruby, environ={"A": "x"}) == f"5:13 {NOT_UNDERSTOOD}"


def test_refused_ruby_is_reported_beside_the_rest(problems: Problems) -> None:
    assert problems(asset_path="<%= 1 %>", volumes="x", labels="${A}") == (
        f"5:13 {NOT_UNDERSTOOD}\n"
        "6:10 volumes: should be an array\n"
        "7:9 labels: A is not set; add it to .env or export it"
    )


def test_positions_stay_true_behind_a_variable(problems: Problems) -> None:
    assert problems(labels='{a: <%= ENV.fetch("A", "b") %>, c: {d: e}}') == "5:44 labels/c: should be a string"


def test_plain_text_takes_the_type_of_what_it_became(load: Load, problems: Problems) -> None:
    assert load(traefik="\n  publish: ${P}", environ={"P": "false"}).traefik.publish is False
    assert problems(traefik="{publish: '${P}'}", environ={"P": "false"}) == (
        "5:20 traefik/publish: should be a boolean"
    )


def test_references_are_kept_in_env_of_roles_accessories_and_the_proxy(load: Load) -> None:
    config = load(
        env="{clear: {A: '${X}'}, tags: {t: {A: '${X}'}}}",
        servers="{web: {hosts: [a], env: {A: '${X}'}}}",
        accessories="{db: {image: x, host: a, env: {clear: {A: '${X}'}}}}",
        traefik="{env: {A: '${X}'}}",
    )
    assert (config.env.clear, config.env.tags["t"].clear) == ({"A": "${X}"}, {"A": "${X}"})
    assert config.servers["web"].env.clear == {"A": "${X}"}
    assert config.accessories["db"].env.clear == {"A": "${X}"}
    assert config.traefik.env.clear == {"A": "${X}"}
