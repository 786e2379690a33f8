"""The docker commands of the five builders, word by word; build arguments and secrets are only named in them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.local import build, builder, registry
from kamal_pyinfra.local.builder import choose_builder
from kamal_pyinfra.local.programs import Answer, Programs, shown
from tests.shell.builders import SECRETS, golden_config

PLAIN = """
service: shop
image: acme/shop
servers: [192.0.2.1]
registry: {server: registry.example.com, username: u, password: [KAMAL_REGISTRY_PASSWORD]}
"""
FULL = f"""{PLAIN}
builder:
  multiarch: false
  args: {{RUBY: "3.10", TOKEN: "a b", DEBUG: true, EMPTY: "", FROM_OUTSIDE: null}}
  secrets: [SECRET_KEY_BASE]
  dockerfile: Dockerfile.prod
  target: app
  ssh: default=$SSH_AUTH_SOCK
  context: src
"""
TAGS = "-t registry.example.com/acme/shop:v2 -t registry.example.com/acme/shop:latest"
TAIL = "--label service=shop --file Dockerfile ."
REMOTE = "remote: {arch: arm64, host: 'ssh://root@192.0.2.9:2222'}"
LOCAL = "local: {arch: amd64, host: 'unix:///run/docker.sock'}"
CACHE = "cache: {type: registry, options: mode=max}"

BUILDERS = {
    "multiarch: false": {
        "push": [
            f"docker build {TAGS} {TAIL}",
            "docker push registry.example.com/acme/shop:v2",
            "docker push registry.example.com/acme/shop:latest",
        ],
        "create": [],
        "contexts": [],
        "details": ["docker version"],
    },
    f"multiarch: false, {CACHE}": {
        "push": [
            f"docker buildx build --push --builder kamal-shop-native-cached {TAGS} "
            "--cache-to type=registry,mode=max,ref=registry.example.com/acme/shop-build-cache "
            f"--cache-from type=registry,ref=registry.example.com/acme/shop-build-cache {TAIL}"
        ],
        "create": ["docker buildx create --name kamal-shop-native-cached --use --driver=docker-container"],
        "contexts": [],
        "details": ["docker context ls", "docker buildx ls"],
    },
    REMOTE: {
        "push": [f"docker buildx build --push --platform linux/arm64 --builder kamal-shop-native-remote {TAGS} {TAIL}"],
        "create": [
            "docker buildx create --name kamal-shop-native-remote kamal-shop-native-remote-arm64 --platform linux/arm64"
        ],
        "contexts": [
            "docker context create kamal-shop-native-remote-arm64 "
            "--description kamal-shop-native-remote_arm64_native_host --docker host=ssh://root@192.0.2.9:2222"
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "remote: {arch: amd64}": {
        "push": [f"docker buildx build --push --platform linux/amd64 --builder kamal-shop-native-remote {TAGS} {TAIL}"],
        "create": [
            "docker buildx create --name kamal-shop-native-remote kamal-shop-native-remote-amd64 --platform linux/amd64"
        ],
        "contexts": [
            "docker context create kamal-shop-native-remote-amd64 "
            "--description kamal-shop-native-remote_amd64_native_host --docker host="
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"local: {{arch: amd64}}, {REMOTE}": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch-remote {TAGS} {TAIL}"
        ],
        "create": [
            "docker buildx create --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-amd64 "
            "--platform linux/amd64",
            "docker buildx create --append --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-arm64 "
            "--platform linux/arm64",
        ],
        "contexts": [
            "docker context create kamal-shop-multiarch-remote-amd64 "
            "--description kamal-shop-multiarch-remote_amd64_native_host --docker host=",
            "docker context create kamal-shop-multiarch-remote-arm64 "
            "--description kamal-shop-multiarch-remote_arm64_native_host --docker host=ssh://root@192.0.2.9:2222",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"{REMOTE}, driver: docker": {
        "push": [
            "docker --context kamal-shop-native-remote-arm64 buildx build --push --platform linux/arm64 "
            f"--builder kamal-shop-native-remote-arm64 {TAGS} {TAIL}"
        ],
        "create": [],
        "contexts": [
            "docker context create kamal-shop-native-remote-arm64 "
            "--description kamal-shop-native-remote_arm64_native_host --docker host=ssh://root@192.0.2.9:2222"
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "multiarch: true": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch {TAGS} {TAIL}"
        ],
        "create": ["docker buildx create --use --name kamal-shop-multiarch"],
        "contexts": [],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "local: {arch: arm64}": {
        "push": [f"docker buildx build --push --platform linux/arm64 --builder kamal-shop-multiarch {TAGS} {TAIL}"],
        "create": ["docker buildx create --use --name kamal-shop-multiarch"],
        "contexts": [],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"{LOCAL}, {REMOTE}": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch-remote {TAGS} {TAIL}"
        ],
        "create": [
            "docker buildx create --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-amd64 "
            "--platform linux/amd64",
            "docker buildx create --append --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-arm64 "
            "--platform linux/arm64",
        ],
        "contexts": [
            "docker context create kamal-shop-multiarch-remote-amd64 "
            "--description kamal-shop-multiarch-remote_amd64_native_host --docker host=unix:///run/docker.sock",
            "docker context create kamal-shop-multiarch-remote-arm64 "
            "--description kamal-shop-multiarch-remote_arm64_native_host --docker host=ssh://root@192.0.2.9:2222",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
}


def spelled(commands: list[list[str]]) -> list[str]:
    return [" ".join(word.replace(" ", "_") for word in argv) for argv in commands]


@pytest.mark.parametrize("section", BUILDERS)
def test_a_builder_has_kamals_commands(section: str):
    config = golden_config(f"{PLAIN}builder: {{{section}}}")
    chosen = choose_builder(config)
    expected = BUILDERS[section]
    assert spelled(build.build_commands(config, "v2", chosen)) == expected["push"]
    assert spelled(builder.create(chosen)) == expected["create"]
    assert spelled([builder.create_context(chosen, node) for node in chosen.nodes]) == expected["contexts"]
    assert spelled(builder.details(chosen)) == expected["details"]


@pytest.mark.parametrize(
    ("section", "has_buildx", "kind"),
    [
        ("{}", True, "multiarch"),
        ("{}", False, "native"),
        ("{args: {A: b}}", False, "native"),
        ("{multiarch: true}", False, "multiarch"),
        ("{local: {arch: arm64}}", False, "multiarch"),
        (f"{{{CACHE}}}", True, "multiarch"),
        (f"{{{CACHE}}}", False, "multiarch"),
        (f"{{multiarch: false, {REMOTE}, {LOCAL}}}", True, "native"),
        (f"{{multiarch: false, {CACHE}}}", False, "native/cached"),
        (f"{{{REMOTE}}}", False, "native/remote"),
        (f"{{{REMOTE}, {LOCAL}}}", False, "multiarch/remote"),
    ],
)
def test_the_section_chooses_the_builder_and_a_missing_plugin_only_where_nothing_was_said(section, has_buildx, kind):
    config = golden_config(f"{PLAIN}builder: {section}")
    assert choose_builder(config, has_buildx=has_buildx).kind == kind


def test_a_builder_is_removed_and_looked_at_by_name():
    chosen = choose_builder(golden_config(f"{PLAIN}builder: {{{REMOTE}}}"))
    (node,) = chosen.nodes
    name = "kamal-shop-native-remote"
    asked: list[list[str]] = []

    class Recorder(Programs):
        def ask(self, argv: Sequence[str], *, seconds: int = 1) -> Answer:
            asked.append(list(argv))
            return Answer(succeeded=False, out="", error="not found")

    assert not builder.is_there(chosen, Recorder())
    assert not builder.remove(chosen, Recorder())
    assert node.context == f"{name}-arm64"
    assert asked == [
        ["docker", "context", "inspect", node.context, "--format", "{{.Endpoints.docker.Host}}"],
        ["docker", "buildx", "inspect", name],
        ["docker", "buildx", "rm", name],
        ["docker", "context", "rm", node.context],
        ["docker", "buildx", "rm", name],
    ]


@pytest.mark.parametrize(
    ("cache", "to", "source"),
    [
        ("{type: gha}", "type=gha", "type=gha"),
        ("{type: gha, options: mode=max}", "type=gha,mode=max", "type=gha"),
        (
            "{type: registry, image: acme/layers}",
            "type=registry,ref=registry.example.com/acme/layers",
            "type=registry,ref=registry.example.com/acme/layers",
        ),
    ],
)
def test_a_cache_is_written_with_its_options_and_read_without(cache: str, to: str, source: str):
    config = golden_config(f"{PLAIN}builder: {{cache: {cache}}}")
    assert build.cache_options(config) == ["--cache-to", to, "--cache-from", source]


def test_arguments_and_secrets_are_named_and_their_values_are_in_the_environment():
    config = golden_config(FULL, SSH_AUTH_SOCK="/run/agent", FROM_OUTSIDE="there", RUBY="not this")
    assert build.build_commands(config, "v2", choose_builder(config))[0] == [
        *["docker", "build", *TAGS.split(), "--label", "service=shop"],
        *["--build-arg", "RUBY", "--build-arg", "TOKEN", "--build-arg", "DEBUG"],
        *["--build-arg", "EMPTY", "--build-arg", "FROM_OUTSIDE", "--secret", "id=SECRET_KEY_BASE"],
        *["--file", "Dockerfile.prod", "--target", "app", "--ssh", "default=/run/agent", "src"],
    ]
    assert build.build_environment(config) == {
        "RUBY": "3.10",
        "TOKEN": "a b",
        "DEBUG": "true",
        "EMPTY": "",
        "FROM_OUTSIDE": "there",
        "SECRET_KEY_BASE": SECRETS["SECRET_KEY_BASE"],
        "DOCKER_BUILDKIT": "1",
    }


def test_proxies_of_a_build_are_written_out_and_do_not_steer_docker():
    section = (
        "builder: {args: {HTTPS_PROXY: 'http://p:3128', no_proxy: a, http_proxy: ~, FTP_PROXY: ~, GO_VERSION: 1.22}}"
    )
    config = golden_config(f"{PLAIN}{section}", http_proxy="http://q")
    options = build.build_options(config, "v2")
    assert [word for flag, word in pairwise(options) if flag == "--build-arg"] == [
        *("HTTPS_PROXY=http://p:3128", "no_proxy=a", "http_proxy=http://q", "FTP_PROXY", "GO_VERSION")
    ]
    assert build.build_environment(config) == {"GO_VERSION": "1.22"}


STEERING = """PATH HOME DOCKER_HOST BUILDX_CONFIG BUILDKIT_HOST LD_PRELOAD LD_LIBRARY_PATH GODEBUG GOGC SSL_CERT_FILE
SSL_CERT_DIR SSH_AUTH_SOCK SSH_ASKPASS XDG_CONFIG_HOME XDG_RUNTIME_DIR OTEL_EXPORTER_OTLP_ENDPOINT GIT_SSH_COMMAND
GIT_DIR BASH_ENV SHELL"""
USUAL = """GO_VERSION GOPROXY GOOS GIT_SHA GIT_COMMIT SSH_PRIVATE_KEY SSL_MODE BUILDKIT_INLINE_CACHE NODE_ENV RAILS_ENV
USER ENV HOMEPAGE PATH_PREFIX LANG CI RUBY_VERSION BUNDLE_GITHUB__COM SOURCE_DATE_EPOCH"""


@pytest.mark.parametrize("name", [*STEERING.split(), *USUAL.split()])
@pytest.mark.parametrize("section", ["args: {NAME: x}", "secrets: [NAME]"])
def test_names_that_steer_docker_are_refused_and_no_others(section: str, name: str):
    text = f"{PLAIN}builder: {{{section.replace('NAME', name)}}}"
    if name in USUAL.split():
        assert golden_config(text).builder.model_fields_set
        return
    with pytest.raises(ConfigError, match=f"{name} controls docker itself and cannot be passed to a build"):
        golden_config(text)


def test_a_proxy_is_no_secret_of_a_build():
    with pytest.raises(ConfigError, match=r"HTTPS_PROXY controls docker itself and cannot be a secret .*below `args`"):
        golden_config(f"{PLAIN}builder: {{secrets: [HTTPS_PROXY]}}")


def test_a_destination_has_a_moving_tag_of_its_own_and_the_same_builder():
    config = golden_config(PLAIN)
    staging = config.loaded_from(type(config._source)(destination="staging"))
    assert build.references(staging, "v2") == [
        "registry.example.com/acme/shop:v2",
        "registry.example.com/acme/shop:latest-staging",
    ]
    assert choose_builder(staging) == choose_builder(config)


def test_a_log_in_names_no_password():
    assert registry.login_command("registry.example.com", "u") == [
        *["docker", "login", "registry.example.com", "-u", "u", "--password-stdin"]
    ]
    assert registry.login_command(None, "u") == ["docker", "login", "-u", "u", "--password-stdin"]


def test_a_message_calls_a_command_by_its_first_words():
    config = golden_config(f"{PLAIN}builder: {{{REMOTE}, driver: docker}}")
    (argv,) = build.build_commands(config, "v2", choose_builder(config))
    assert shown(argv) == "docker buildx build"
    assert shown(["docker", "push", "a:b"]) == "docker push"
