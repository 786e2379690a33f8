"""A build on the deploying machine: the docker commands of the five builders, and what is said when it cannot be.

Build arguments and secrets are only named in the commands.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kamal_pyinfra.errors import BuildFailed, ConfigError
from kamal_pyinfra.local import build, builder, registry
from kamal_pyinfra.local.builder import choose_builder, programs_with_ssh
from kamal_pyinfra.local.programs import Answer, Programs, shown
from tests.conftest import SECRETS
from tests.operations.machine import VALUES, Machine, spelled
from tests.shell.builders import SECRETS as GOLDEN_SECRETS
from tests.shell.builders import golden_config

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
        "details": ["docker version"],
    },
    f"multiarch: false, {CACHE}": {
        "push": [
            f"docker buildx build --push --builder kamal-shop-native-cached {TAGS} "
            "--cache-to type=registry,mode=max,ref=registry.example.com/acme/shop-build-cache "
            f"--cache-from type=registry,ref=registry.example.com/acme/shop-build-cache {TAIL}"
        ],
        "create": ["docker buildx create --name kamal-shop-native-cached --use --driver=docker-container"],
        "details": ["docker context ls", "docker buildx ls"],
    },
    REMOTE: {
        "push": [f"docker buildx build --push --platform linux/arm64 --builder kamal-shop-native-remote {TAGS} {TAIL}"],
        "create": [
            "docker context create kamal-shop-native-remote-arm64 "
            "--description kamal-shop-native-remote arm64 native host --docker host=ssh://root@192.0.2.9:2222",
            "docker buildx create --name kamal-shop-native-remote kamal-shop-native-remote-arm64 "
            "--platform linux/arm64",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "remote: {arch: amd64}": {
        "push": [f"docker buildx build --push --platform linux/amd64 --builder kamal-shop-native-remote {TAGS} {TAIL}"],
        "create": [
            "docker context create kamal-shop-native-remote-amd64 "
            "--description kamal-shop-native-remote amd64 native host --docker host=",
            "docker buildx create --name kamal-shop-native-remote kamal-shop-native-remote-amd64 "
            "--platform linux/amd64",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"local: {{arch: amd64}}, {REMOTE}": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch-remote {TAGS} {TAIL}"
        ],
        "create": [
            "docker context create kamal-shop-multiarch-remote-amd64 "
            "--description kamal-shop-multiarch-remote amd64 native host --docker host=",
            "docker context create kamal-shop-multiarch-remote-arm64 "
            "--description kamal-shop-multiarch-remote arm64 native host --docker host=ssh://root@192.0.2.9:2222",
            "docker buildx create --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-amd64 "
            "--platform linux/amd64",
            "docker buildx create --append --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-arm64 "
            "--platform linux/arm64",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"{REMOTE}, driver: docker": {
        "push": [
            "docker --context kamal-shop-native-remote-arm64 buildx build --push --platform linux/arm64 "
            f"--builder kamal-shop-native-remote-arm64 {TAGS} {TAIL}"
        ],
        "create": [
            "docker context create kamal-shop-native-remote-arm64 "
            "--description kamal-shop-native-remote arm64 native host --docker host=ssh://root@192.0.2.9:2222"
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "multiarch: true": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch {TAGS} {TAIL}"
        ],
        "create": ["docker buildx create --use --name kamal-shop-multiarch"],
        "details": ["docker context ls", "docker buildx ls"],
    },
    "local: {arch: arm64}": {
        "push": [f"docker buildx build --push --platform linux/arm64 --builder kamal-shop-multiarch {TAGS} {TAIL}"],
        "create": ["docker buildx create --use --name kamal-shop-multiarch"],
        "details": ["docker context ls", "docker buildx ls"],
    },
    f"{LOCAL}, {REMOTE}": {
        "push": [
            "docker buildx build --push --platform linux/amd64,linux/arm64 "
            f"--builder kamal-shop-multiarch-remote {TAGS} {TAIL}"
        ],
        "create": [
            "docker context create kamal-shop-multiarch-remote-amd64 "
            "--description kamal-shop-multiarch-remote amd64 native host --docker host=unix:///run/docker.sock",
            "docker context create kamal-shop-multiarch-remote-arm64 "
            "--description kamal-shop-multiarch-remote arm64 native host --docker host=ssh://root@192.0.2.9:2222",
            "docker buildx create --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-amd64 "
            "--platform linux/amd64",
            "docker buildx create --append --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-arm64 "
            "--platform linux/arm64",
        ],
        "details": ["docker context ls", "docker buildx ls"],
    },
}


def words(commands: list[list[str]]) -> list[str]:
    return [" ".join(argv) for argv in commands]


@pytest.mark.parametrize("section", BUILDERS)
def test_a_builder_has_kamals_commands(section: str):
    config = golden_config(f"{PLAIN}builder: {{{section}}}")
    chosen = choose_builder(config)
    expected = BUILDERS[section]
    assert words(build.build_commands(config, "v2", chosen)) == expected["push"]
    assert words(builder.details(chosen)) == expected["details"]


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
        "SECRET_KEY_BASE": GOLDEN_SECRETS["SECRET_KEY_BASE"],
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
    assert [argv[-1] for argv in build.build_commands(staging, "v2", builder.ImageBuilder(kind="native"))[1:]] == [
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


LOGIN = "login registry.example.com -u acme --password-stdin"
BUILD_HOST = {"arch": "arm64", "host": "ssh://root@192.0.2.9"}
NATIVE = [LOGIN, "build", "push registry.example.com/acme/shop:v2", "push registry.example.com/acme/shop:latest"]


def section_of(text: str) -> dict[str, Any]:
    section: dict[str, Any] = yaml.safe_load(f"{{{text}}}")
    return section


def refused(machine: Machine, **builder: object) -> list[str]:
    """The lines of the error with which a build ends."""
    with pytest.raises(BuildFailed) as caught:
        machine.builds(**builder)
    return str(caught.value).splitlines()


def created_by(section: str) -> list[str]:
    return [line.removeprefix("docker ") for line in BUILDERS[section]["create"]]


def creating(calls: list[dict[str, object]]) -> list[str]:
    return [line for line in spelled(calls) if "create" in line]


@pytest.mark.parametrize("section", BUILDERS)
def test_a_missing_builder_is_made_once(machine: Machine, section: str):
    pushed = [line.partition(" -t ")[0].removeprefix("docker ") for line in BUILDERS[section]["push"]]
    first = machine.builds(**section_of(section))
    assert creating(first) == created_by(section)
    assert spelled(first)[-len(pushed) :] == pushed
    assert spelled(machine.builds(**section_of(section))) == [LOGIN, *pushed]


@pytest.mark.parametrize(
    ("section", "name"),
    [(REMOTE, "native-remote"), (f"{REMOTE}, driver: docker", ""), (f"{LOCAL}, {REMOTE}", "multiarch-remote")],
)
def test_a_builder_that_leads_to_another_host_is_made_anew(machine: Machine, section: str, name: str):
    machine.builds(**section_of(section) | {"remote": BUILD_HOST | {"host": "ssh://root@192.0.2.8"}})
    calls, created = spelled(machine.builds(**section_of(section))), created_by(section)
    assert [line for line in calls if "create" in line] == created
    removed = [line for line in calls if " rm " in line]
    own = [f"buildx rm kamal-shop-{name}"] if name else []
    assert removed == [*own, *(f"context rm {line.split()[2]}" for line in created if line.startswith("context"))]
    assert calls.index(removed[-1]) < calls.index(created[0])
    assert any("made anew" in line for line in machine.said)


def test_a_builder_that_is_gone_while_its_context_is_there_is_made_anew(machine: Machine):
    machine.builds(**section_of(REMOTE))
    machine.lacks("builder-kamal-shop-native-remote")
    assert creating(machine.builds(**section_of(REMOTE))) == created_by(REMOTE)


def test_a_build_host_that_does_not_answer_is_named_and_leaves_no_context(machine: Machine):
    (machine.folder / "docker/unreachable").touch()
    assert refused(machine, remote=BUILD_HOST) == [
        "The build host ssh://root@192.0.2.9 does not answer:",
        "  ssh: connect to host 192.0.2.9 port 22: Connection refused",
        "Try `ssh root@192.0.2.9 docker version`.",
    ]
    assert list((machine.folder / "docker").glob("context-*")) == []


def test_docker_that_cannot_tell_its_contexts_is_not_taken_for_one_without(machine: Machine):
    machine.fails("inspect", "")
    assert refused(machine, remote=BUILD_HOST)[0] == "docker cannot list its builders:"
    assert creating(machine.calls()) == []


def test_the_engine_builds_where_nothing_was_said_and_buildx_is_missing(machine: Machine):
    machine.lacks("buildx")
    assert spelled(machine.builds()) == NATIVE
    assert machine.said[0] == (
        "[Docker's buildx plugin is not installed on this machine: building for this machine's own platform only]"
    )


@pytest.mark.parametrize("section", [section for section in BUILDERS if section != "multiarch: false"])
def test_a_missing_buildx_is_named_where_the_builder_needs_it(machine: Machine, section: str):
    machine.lacks("buildx")
    (line,) = refused(machine, **section_of(section))
    name = choose_builder(golden_config(f"{PLAIN}builder: {{{section}}}")).kind
    assert line.startswith(f"The builder {name} needs Docker's buildx plugin, which is not installed on this machine")


def test_a_missing_docker_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(machine.folder))
    (line,) = refused(machine)
    assert line.startswith("Docker is not installed on this machine: ")


def assert_failure_is_shown(machine: Machine, word: str, said: str, first: str) -> None:
    machine.fails(word, said)
    assert refused(machine, multiarch=False) == [first, f"`docker {word}` failed with exit code 1", f"  {said}"]


def test_a_refused_login_says_what_the_registry_said(machine: Machine):
    said = "Error response from daemon: unauthorized"
    assert_failure_is_shown(machine, "login", said, "registry.example.com refused the login of acme")


def test_a_refused_push_says_what_the_registry_said(machine: Machine):
    said = "denied: requested access to the resource is denied"
    assert_failure_is_shown(machine, "push", said, "registry.example.com/acme/shop:v2 could not be pushed")


def test_a_failing_build_ends_with_its_last_lines_free_of_what_a_terminal_obeys(machine: Machine):
    machine.fails("build", "\n".join(["first", *(f"line {n}" for n in range(39)), "\x1b[31mmake: error 2\x07"]))
    lines = refused(machine, multiarch=True)
    assert lines[:2] == [
        "registry.example.com/acme/shop:v2 could not be built and pushed",
        "`docker buildx build` failed with exit code 1",
    ]
    assert (lines[2], lines[-1], len(lines)) == ("  line 0", "  make: error 2", 42)


def test_a_missing_dockerfile_stops_the_build_before_the_registry_is_asked(machine: Machine):
    assert refused(machine, multiarch=False, dockerfile="Dockerfile.prod") == [
        f"Dockerfile.prod not found in {machine.project}: nothing to build"
    ]
    assert spelled(machine.calls()) == []


def test_values_are_in_the_environment_of_the_build_alone(machine: Machine):
    calls = machine.builds(multiarch=False, args={"REGION": "eu-1"}, secrets=["BUILD_TOKEN"])
    login, build, *pushes = [call for call in calls if call["argv"][0] in ("login", "build", "push")]
    assert (login["typed"], build["typed"]) == (SECRETS["REGISTRY_PASSWORD"], "")
    assert {name: build["env"][name] for name in VALUES} == VALUES
    assert build["env"]["DOCKER_BUILDKIT"] == "1"
    assert not any({"BUILD_TOKEN", "REGION"} & set(call["env"]) for call in (login, *pushes))
    words = [word for call in calls for word in call["argv"]]
    assert ("id=BUILD_TOKEN" in words, "REGION" in words, len(pushes)) == (True, True, 2)
    for value in (*VALUES.values(), SECRETS["REGISTRY_PASSWORD"]):
        assert not any(value in word for word in words)
        assert value not in "\n".join(machine.said)


def test_a_secret_that_the_build_prints_is_not_passed_on(machine: Machine):
    machine.fails("build", f"#5 token: {VALUES['BUILD_TOKEN']}, {VALUES['REGION']}")
    assert refused(machine, multiarch=False, secrets=["BUILD_TOKEN"])[-1] == "  #5 token: [REDACTED], eu-1"
    assert machine.said[-1] == "#5 token: [REDACTED], eu-1"


def test_a_build_secret_without_value_is_named_before_anything_is_done(machine: Machine):
    with pytest.raises(ConfigError) as caught:
        machine.builds(secrets=["NPM_TOKEN", "BUILD_TOKEN", "OTHER"])
    assert [line.partition("deploy.yml:")[2] for line in caught.value.problems] == [
        "3:5 builder/secrets/0: NPM_TOKEN is not set; add it to .env or export it",
        "5:5 builder/secrets/2: OTHER is not set; add it to .env or export it",
    ]
    assert machine.calls() == []


def test_docker_reaches_a_build_host_with_the_keys_of_the_configuration(machine: Machine):
    machine.ssh = {"keys": ["keys/a b.pem"], "known_hosts": "known", "host_keys": "strict"}
    config = machine.config(remote=BUILD_HOST, driver="docker")
    with programs_with_ssh(config, choose_builder(config), Programs(print, print)) as connected:
        settings = connected.ask(["ssh", "-G", "-p", "2222", "192.0.2.9"]).out.splitlines()
        found = connected.ask(["sh", "-c", "command -v ssh"]).out
    assert f"identityfile {machine.project}/keys/a b.pem" in settings
    assert "identityfile ~/.ssh/id_ed25519" in settings
    (known_hosts,) = (line for line in settings if line.startswith("userknownhostsfile "))
    assert known_hosts.startswith(f"userknownhostsfile {machine.project}/known ")
    assert known_hosts.endswith("/.ssh/known_hosts")
    assert {"port 2222", "batchmode yes", "stricthostkeychecking true"} <= set(settings)
    assert not Path(found).exists()


def test_a_program_ends_when_the_run_does(machine: Machine):
    started = machine.folder / "started"

    def interrupt(line: str) -> None:
        started.write_text(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Programs(interrupt, print).run(["sh", "-c", "echo $$; exec sleep 60"])
    assert subprocess.run(["kill", "-0", started.read_text()], check=False, capture_output=True).returncode != 0


WARNED = "[.env, .env.production may get into the image: there is no .dockerignore; write one with the line `.env*`]"


def test_an_env_file_that_may_get_into_the_image_is_told_of(machine: Machine):
    """A folder is built as it is, also below a git repository if a context is set; a clean clone has no such files."""
    for name in (".env", ".env.production", ".env.example"):
        (machine.project / name).write_text("TOKEN=hush\n")
    machine.builds(multiarch=False)
    assert WARNED in machine.said
    (machine.project / ".dockerignore").write_text("# .env*\n.env\n")
    machine.builds(multiarch=False)
    assert WARNED not in machine.said
    left = (
        ".env.production may get into the image: .dockerignore does not leave it out; add the line `.env*` at its end"
    )
    assert any(left in line for line in machine.said)
    (machine.project / "Dockerfile.dockerignore").write_text("log\n")
    machine.builds(multiarch=False)
    assert any("Dockerfile.dockerignore does not leave it out" in line for line in machine.said)
    (machine.project / "Dockerfile.dockerignore").unlink()
    machine.said.clear()
    (machine.project / ".dockerignore").write_text(".env*\n")
    machine.builds(multiarch=False)
    assert not any("may get into the image" in line for line in machine.said)
    machine.git("init", "--quiet")
    (machine.project / ".dockerignore").unlink()
    machine.builds(multiarch=False, context=".")
    assert WARNED in machine.said
