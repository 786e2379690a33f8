from __future__ import annotations

from kamal_pyinfra.commands import builder
from tests.commands.builders import golden_config

PLAIN = """
service: shop
image: acme/shop
servers: [192.0.2.1]
registry: {server: registry.example.com, username: u, password: [KAMAL_REGISTRY_PASSWORD]}
"""
FULL = f"""{PLAIN}
builder:
  args: {{RUBY: "3.3", TOKEN: "a b"}}
  secrets: [SECRET_KEY_BASE]
  dockerfile: Dockerfile.prod
  target: app
  ssh: default
  context: src
"""
REFERENCES = ["-t", "registry.example.com/acme/shop:v2", "-t", "registry.example.com/acme/shop:latest"]


def test_a_plain_build_is_kamals():
    config = golden_config(PLAIN)
    assert builder.build_with_buildx(config, "v2") == [
        *["docker", "buildx", "build", "--push", *REFERENCES],
        *["--label", "service=shop", "--file", "Dockerfile", "."],
    ]
    assert builder.build(config, "v2")[:2] == ["docker", "build"]
    assert builder.push(config, "v2") == [
        ["docker", "push", "--quiet", "registry.example.com/acme/shop:v2"],
        ["docker", "push", "--quiet", "registry.example.com/acme/shop:latest"],
    ]


def test_arguments_and_secrets_are_named_and_their_values_are_in_the_environment():
    config = golden_config(FULL)
    assert builder.build(config, "v2") == [
        *["docker", "build", *REFERENCES, "--label", "service=shop"],
        *["--build-arg", "RUBY", "--build-arg", "TOKEN", "--secret", "id=SECRET_KEY_BASE"],
        *["--file", "Dockerfile.prod", "--target", "app", "--ssh", "default", "src"],
    ]
    assert builder.build_environment(config) == {"RUBY": "3.3", "TOKEN": "a b", "SECRET_KEY_BASE": "base-hush"}


def test_a_log_in_names_no_password():
    assert builder.log_in("registry.example.com", "u") == [
        *["docker", "login", "registry.example.com", "-u", "u", "--password-stdin"]
    ]
    assert builder.log_in(None, "u") == ["docker", "login", "-u", "u", "--password-stdin"]
