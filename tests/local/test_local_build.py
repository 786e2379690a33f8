"""A build on the deploying machine: which docker commands it takes, and what is said when it cannot be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kamal_pyinfra.errors import BuildFailed, ConfigError
from kamal_pyinfra.local.builder import choose_builder, programs_with_ssh
from kamal_pyinfra.local.programs import Programs
from tests.conftest import SECRETS
from tests.operations.machine import VALUES, Machine, spelled

LOGIN = "login registry.example.com -u acme --password-stdin"
REMOTE = {"arch": "arm64", "host": "ssh://root@192.0.2.9"}
LOCAL = {"arch": "amd64", "host": "unix:///run/docker.sock"}
NATIVE = [LOGIN, "build", "push registry.example.com/acme/shop:v2", "push registry.example.com/acme/shop:latest"]


def refused(machine: Machine, **builder: object) -> list[str]:
    """The lines of the error with which a build ends."""
    with pytest.raises(BuildFailed) as caught:
        machine.builds(**builder)
    return str(caught.value).splitlines()


CREATED = {
    "multiarch": ({"multiarch": True}, ["buildx create --use --name kamal-shop-multiarch"]),
    "native/cached": (
        {"multiarch": False, "cache": {"type": "gha"}},
        ["buildx create --name kamal-shop-native-cached --use --driver=docker-container"],
    ),
    "native/remote": (
        {"remote": REMOTE},
        [
            "context create kamal-shop-native-remote-arm64 --description kamal-shop-native-remote arm64 native host "
            "--docker host=ssh://root@192.0.2.9",
            "buildx create --name kamal-shop-native-remote kamal-shop-native-remote-arm64 --platform linux/arm64",
        ],
    ),
    "driver docker": (
        {"remote": REMOTE, "driver": "docker"},
        [
            "context create kamal-shop-native-remote-arm64 --description kamal-shop-native-remote arm64 native host "
            "--docker host=ssh://root@192.0.2.9",
        ],
    ),
    "multiarch/remote": (
        {"local": LOCAL, "remote": REMOTE},
        [
            "context create kamal-shop-multiarch-remote-amd64 --description kamal-shop-multiarch-remote amd64 native "
            "host --docker host=unix:///run/docker.sock",
            "context create kamal-shop-multiarch-remote-arm64 --description kamal-shop-multiarch-remote arm64 native "
            "host --docker host=ssh://root@192.0.2.9",
            "buildx create --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-amd64 --platform linux/amd64",
            "buildx create --append --name kamal-shop-multiarch-remote kamal-shop-multiarch-remote-arm64 "
            "--platform linux/arm64",
        ],
    ),
}


def creating(calls: list[dict[str, object]]) -> list[str]:
    return [line for line in spelled(calls) if "create" in line]


@pytest.mark.parametrize("kind", CREATED)
def test_a_missing_builder_is_made_once(machine: Machine, kind: str):
    section, created = CREATED[kind]
    first = machine.builds(**section)
    assert creating(first) == created
    assert "buildx build --push" in spelled(first)[-1]
    again = spelled(machine.builds(**section))
    assert again == [LOGIN, spelled(first)[-1]]


@pytest.mark.parametrize("kind", ["native/remote", "driver docker", "multiarch/remote"])
def test_a_builder_that_leads_to_another_host_is_made_anew(machine: Machine, kind: str):
    section, created = CREATED[kind]
    machine.builds(**section | {"remote": REMOTE | {"host": "ssh://root@192.0.2.8"}})
    calls = spelled(machine.builds(**section))
    assert [line for line in calls if "create" in line] == created
    removed = [line for line in calls if " rm " in line]
    own = [] if kind == "driver docker" else [f"buildx rm kamal-shop-{kind.replace('/', '-')}"]
    assert removed == [*own, *(f"context rm {line.split()[2]}" for line in created if line.startswith("context"))]
    assert calls.index(removed[-1]) < calls.index(created[0])
    assert any("made anew" in line for line in machine.said)


def test_a_builder_that_is_gone_while_its_context_is_there_is_made_anew(machine: Machine):
    section, created = CREATED["native/remote"]
    machine.builds(**section)
    machine.lacks("builder-kamal-shop-native-remote")
    assert creating(machine.builds(**section)) == created


def test_a_build_host_that_does_not_answer_is_named_and_leaves_no_context(machine: Machine):
    (machine.folder / "docker/unreachable").touch()
    assert refused(machine, remote=REMOTE) == [
        "The build host ssh://root@192.0.2.9 does not answer:",
        "  ssh: connect to host 192.0.2.9 port 22: Connection refused",
        "Try `ssh root@192.0.2.9 docker version`.",
    ]
    assert list((machine.folder / "docker").glob("context-*")) == []


def test_docker_that_cannot_tell_its_contexts_is_not_taken_for_one_without(machine: Machine):
    machine.fails("inspect", "")
    assert refused(machine, remote=REMOTE)[0] == "docker cannot list its builders:"
    assert creating(machine.calls()) == []


def test_the_engine_builds_where_nothing_was_said_and_buildx_is_missing(machine: Machine):
    machine.lacks("buildx")
    assert spelled(machine.builds()) == NATIVE
    assert machine.said[0] == (
        "[Docker's buildx plugin is not installed on this machine: building for this machine's own platform only]"
    )


@pytest.mark.parametrize("kind", CREATED)
def test_a_missing_buildx_is_named_where_the_builder_needs_it(machine: Machine, kind: str):
    machine.lacks("buildx")
    (line,) = refused(machine, **CREATED[kind][0])
    name = kind if kind != "driver docker" else "native/remote"
    assert line.startswith(f"The builder {name} needs Docker's buildx plugin, which is not installed on this machine")


def test_a_missing_docker_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(machine.folder))
    (line,) = refused(machine)
    assert line.startswith("Docker is not installed on this machine: ")


def test_a_refused_login_says_what_the_registry_said(machine: Machine):
    machine.fails("login", "Error response from daemon: unauthorized")
    assert refused(machine, multiarch=False) == [
        "registry.example.com refused the login of acme",
        "`docker login` failed with exit code 1",
        "  Error response from daemon: unauthorized",
    ]


def test_a_refused_push_says_what_the_registry_said(machine: Machine):
    machine.fails("push", "denied: requested access to the resource is denied")
    assert refused(machine, multiarch=False) == [
        "registry.example.com/acme/shop:v2 could not be pushed",
        "`docker push` failed with exit code 1",
        "  denied: requested access to the resource is denied",
    ]


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
    config = machine.config(remote=REMOTE, driver="docker")
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
