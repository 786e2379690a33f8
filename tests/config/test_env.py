"""Effective environment, secrets and the file that carries them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from kamal_pyinfra.config.env import env_file_text
from kamal_pyinfra.config.secrets import missing_secrets, registry_credentials, require_secrets, secret_value
from kamal_pyinfra.errors import ConfigError
from tests.config.conftest import FIXTURES, Load, fixture

ROLE = {"LEVEL": "role", "REGION": "us", "FROM_HOST": "${HOST_TOKEN}", "ROLE": "web"}


@pytest.mark.parametrize(
    ("role", "host", "clear", "secret"),
    [
        ("web", "192.0.2.1", ROLE, ("ROOT_KEY", "REGION_KEY", "PROMOTED", "WEB_KEY")),
        (
            "web",
            "192.0.2.2",
            ROLE | {"LEVEL": "canary", "PROMOTED": "in the clear"},
            ("ROOT_KEY", "REGION_KEY", "WEB_KEY"),
        ),
        (
            "web",
            "192.0.2.3",
            ROLE | {"LEVEL": "eu", "REGION": "eu", "PROMOTED": "in the clear"},
            ("ROOT_KEY", "REGION_KEY", "WEB_KEY", "EU_KEY"),
        ),
        (
            "job",
            "192.0.2.3",
            {"LEVEL": "eu", "REGION": "eu", "FROM_HOST": "${HOST_TOKEN}"},
            ("ROOT_KEY", "REGION_KEY", "PROMOTED", "EU_KEY"),
        ),
    ],
)
def test_root_role_and_tags_are_joined(role: str, host: str, clear: dict[str, str], secret: tuple[str, ...]) -> None:
    env = fixture("env_tags").env_for(role, host)
    assert (list(env.clear.items()), env.secret) == (list(clear.items()), secret)


def test_a_clear_value_wins_over_a_secret_as_in_docker_run(load: Load) -> None:
    config = load(
        env="{clear: {A: root}, secret: [B]}",
        servers="{web: {hosts: [a], env: {clear: {B: role}, secret: [A]}}}",
    )
    env = config.env_for("web", "a")
    assert (env.clear, env.secret) == ({"A": "root", "B": "role"}, ())


def test_blank_and_false_values_are_values(load: Load) -> None:
    assert load(env="{A: '', B: ' ', C: false}").env_for("web", "192.0.2.1").clear == {
        "A": "",
        "B": " ",
        "C": "false",
    }


def test_a_secret_comes_from_the_environment_or_the_env_file(project: Path, load: Load) -> None:
    (project / ".env").write_text("FROM_FILE=file\n")
    config = load(env="{secret: [FROM_FILE, FROM_PROCESS]}", environ={"FROM_PROCESS": "process"})
    assert secret_value(config, "FROM_FILE").get_secret_value() == "file"
    assert secret_value(config, "FROM_PROCESS").get_secret_value() == "process"
    assert str(secret_value(config, "FROM_FILE")) == "**********"


def test_a_secret_without_value_names_its_place_and_the_way_out(load: Load) -> None:
    config = load(env="{secret: [A, B]}")
    with pytest.raises(ConfigError) as error:
        secret_value(config, "B")
    assert str(error.value) == ("config/deploy.yml:5:19 env/secret/1: B is not set; add it to .env or export it")
    with pytest.raises(ConfigError) as error:
        secret_value(config, "OTHER")
    assert str(error.value) == "OTHER is not set; add it to .env or export it"


def test_every_secret_without_value_is_listed() -> None:
    config = fixture("all_keys")
    way_out = " is not set; add it to .env or export it"
    path = FIXTURES / "deploy_all_keys.yml"
    assert missing_secrets(config) == [
        f"{path}:18:31 env/secret/0: S{way_out}",
        f"{path}:65:38 accessories/db/env/secret/0: DB_PASSWORD{way_out}",
        f"{path}:78:18 traefik/env/secret/0: ACME{way_out}",
        f"{path}:15:67 registry/username/0: RU{way_out}",
        f"{path}:15:83 registry/password/0: RP{way_out}",
    ]
    with pytest.raises(ConfigError) as error:
        require_secrets(config)
    assert list(error.value.problems) == missing_secrets(config)


def test_the_way_out_names_the_file_of_the_destination(load: Load) -> None:
    config = load(registry="{username: u, password: p}", staging="env: {secret: [A]}")
    assert missing_secrets(config) == [
        "config/deploy.staging.yml:1:16 env/secret/0: A is not set; add it to .env.staging, .env or export it"
    ]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (
            "a\nb",
            r"holds a line break, which a Docker env file cannot carry; in single quotes in .env (KEY='one\ntwo') each "
            r"`\n` stays these two characters, as Kamal hands it over; or store it encoded (base64)",
        ),
        (
            "a\r",
            r"holds a line break, which a Docker env file cannot carry; in single quotes in .env (KEY='one\ntwo') each "
            r"`\n` stays these two characters, as Kamal hands it over; or store it encoded (base64)",
        ),
        ("a\0b", "holds a NUL character, which no environment can carry"),
        ("a\udcff", "is not valid UTF-8"),
        (
            "a" * 65_532,
            "is longer than the 65535 bytes that a line of a Docker env file may have; pass it in a file",
        ),
        (
            "é" * 32_766,
            "is longer than the 65535 bytes that a line of a Docker env file may have; pass it in a file",
        ),
    ],
)
def test_a_secret_that_docker_would_alter_is_refused(load: Load, value: str, complaint: str) -> None:
    config = load(env="{secret: [KEY]}", environ={"KEY": value, "PW": "a\nb"})
    assert missing_secrets(config) == []
    with pytest.raises(ConfigError) as error:
        require_secrets(config)
    assert str(error.value) == f"config/deploy.yml:5:16 env/secret/0: KEY {complaint}"


def test_secrets_that_are_all_there_are_accepted(load: Load) -> None:
    config = load(env="{secret: [KEY, EMPTY]}", environ={"KEY": "x", "EMPTY": "", "PW": "p"})
    require_secrets(config)
    assert secret_value(config, "EMPTY").get_secret_value() == ""


def test_registry_credentials_are_written_or_looked_up(load: Load) -> None:
    def credentials(registry: str, **environ: str) -> tuple[str, str]:
        username, password = registry_credentials(load(registry=registry, environ=environ))
        return username, password.get_secret_value()

    assert credentials("{username: u, password: p}") == ("u", "p")
    assert credentials("{username: [U], password: [P]}", U="user", P="pass") == ("user", "pass")
    assert credentials("{username: 007, password: 1.10}") == ("007", "1.10")
    with pytest.raises(ConfigError) as error:
        credentials("{username: u, password: [P]}", P="")
    with pytest.raises(ConfigError, match="registry/password/0: P is not set"):
        require_secrets(load(registry="{username: u, password: [P]}", environ={"P": ""}))
    assert str(error.value) == ("config/deploy.yml:3:36 registry/password/0: P is not set; add it to .env or export it")


def test_the_longest_line_that_docker_reads_is_accepted(load: Load) -> None:
    require_secrets(load(env="{secret: [KEY]}", environ={"KEY": "a" * 65_531, "PW": "p"}))


def test_values_are_written_into_the_env_file_as_they_are() -> None:
    values = {"A": r"C:\new #{x} $HOME `id` 'q' \"", "B": "", "C": " 中 "}
    text = env_file_text({name: SecretStr(value) for name, value in values.items()})
    assert text.get_secret_value() == "A=" + values["A"] + "\nB=\nC= 中 \n"
    assert env_file_text({}).get_secret_value() == "\n"


def test_a_value_can_never_add_a_line_to_the_env_file() -> None:
    with pytest.raises(ConfigError, match=r"^A holds a line break"):
        env_file_text({"A": SecretStr("x\nADMIN=1"), "B": SecretStr("fine")})
