"""`kp docs`: the sample of each section says what the models know, and loads."""

from __future__ import annotations

import pytest
import yaml

from kamal_pyinfra.config import Accessory, Config, Env, Logging
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.reference import SECTIONS, sample
from tests.config.conftest import Load

KAMAL = "accessory boot builder configuration env healthcheck logging registry role servers ssh sshkit traefik"
LEAST = {
    "service": "shop",
    "image": "acme/shop",
    "servers": ["192.0.2.11"],
    "registry": {"username": "u", "password": "p"},
}


def loaded(load: Load, section: str) -> Config:
    return load(text=yaml.safe_dump(LEAST | yaml.safe_load(sample(section)), sort_keys=False))


def test_there_are_kamals_sections() -> None:
    assert " ".join(SECTIONS) == KAMAL


def test_the_sample_of_a_section() -> None:
    assert sample("registry") == (
        "# Where the image is pushed to and pulled from.\n"
        "registry:\n"
        "  # Host of the registry; Docker Hub without it.\n"
        "  server: registry.example.com\n"
        "\n"
        "  # User name, or a list of one environment variable's name.\n"
        "  username: acme\n"
        "\n"
        "  # Password, or a list of one environment variable's name. One that a program prints: `[ECR_PASSWORD]`, and\n"
        "  # `ECR_PASSWORD=$(aws ecr get-login-password) kp deploy`.\n"
        "  password:\n"
        "    - KAMAL_REGISTRY_PASSWORD\n"
        "\n"
        "  # Image of the registry on the deploying machine, if there is no other. Default: registry:2. Not in Kamal\n"
        "  # 1.9.\n"
        "  # image: registry:2\n"
    )


def test_keys_of_ours_and_defaults_are_named() -> None:
    text = sample("ssh")
    said = "  # Seconds to wait for a connection; without it those in `~/.ssh/config`. Not in Kamal 1.9.\n"
    assert f"{said}  connect_timeout: 10\n" in text
    assert "  # Command to connect through.\n  # proxy_command: ssh -W %h:%p jump.example.com\n" in text
    assert "# How hosts are reached. More: `kp docs ssh`.\nssh:\n" in sample()


@pytest.mark.parametrize("section", SECTIONS)
def test_a_sample_loads(load: Load, section: str) -> None:
    config = loaded(load, section)
    key = (SECTIONS[section][1] or ("service",))[0]
    assert key in config.model_fields_set


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "servers"])
def test_a_sample_shows_every_key_with_its_meaning(section: str) -> None:
    model = SECTIONS[section][0]
    text = " ".join(sample(section).replace("# ", " ").split())
    assert all(f"{name}:" in text for name in model.model_fields)
    assert all(" ".join((field.description or "").split()) in text for field in model.model_fields.values())
    assert sample(section).count("\n\n") >= len(model.model_fields) - 1


def test_what_a_sample_says_is_what_is_read(load: Load) -> None:
    accessory = loaded(load, "accessory").accessories["db"]
    assert accessory == Accessory.model_validate(yaml.safe_load(sample("accessory"))["accessories"]["db"])
    assert accessory.publish == "127.0.0.1:5432:5432"
    assert loaded(load, "logging").logging == Logging(driver="json-file", options={"max-size": "100m", "max-file": "3"})
    assert loaded(load, "env").env.tags == {"canary": Env(clear={"LOG_LEVEL": "debug"})}
    canary, fast, slow = loaded(load, "servers").role("web").servers[1:]
    assert (canary.tags, fast.tags, slow.user, slow.port, slow.sudo) == (
        ("canary",),
        ("canary", "fast"),
        "deploy",
        2222,
        True,
    )


def test_a_key_of_the_file_has_its_sample() -> None:
    assert sample("volumes") == "# Volumes of all app containers.\nvolumes:\n  - /srv/uploads:/app/uploads\n"
    assert sample("accessories") == sample("accessory")


@pytest.mark.parametrize("key", Config.model_fields)
def test_every_key_of_the_file_has_a_sample(key: str) -> None:
    assert f"{key}:" in sample(key)


def test_an_unknown_section_lists_those_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        sample("healthchek")
    assert str(refused.value) == (
        f"no documentation for 'healthchek' (did you mean `healthcheck`?); there is: {KAMAL.replace(' ', ', ')}"
    )
    assert refused.value.exit_code == 3
