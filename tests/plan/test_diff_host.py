"""Docker, folders, env files, login and images."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host, diff_login
from kamal_pyinfra.plan.plan import reasons_against, refuse
from kamal_pyinfra.plan.state.observed import Docker, ObservedFile, ObservedHost
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, fresh, plan_of

BARE = ObservedHost(host=HOST, user="deploy", home="/home/deploy")
SILENT = Docker(installed=True, error="Cannot connect to the Docker daemon")
CLOSED = Docker(installed=True, error="Permission denied while trying to connect")


@pytest.mark.parametrize(
    ("docker", "refusal"),
    [
        (Docker(installed=False), "192.0.2.1: docker is not installed; run `kp setup` first."),
        (
            SILENT,
            "192.0.2.1: the docker service does not answer; run `kp setup` first. Cannot connect to the Docker daemon",
        ),
        (
            CLOSED,
            "192.0.2.1: deploy may not use docker; run `kp setup` first. Permission denied while trying to connect",
        ),
    ],
    ids=["missing", "silent", "closed"],
)
@pytest.mark.parametrize("command", ["deploy", "redeploy", "rollback"])
def test_a_host_without_usable_docker_is_refused(
    config: MakeConfig, docker: Docker, refusal: str, command: str
) -> None:
    with pytest.raises(PlanRefused) as refused:
        plan_of(config(), replace(BARE, docker=docker), command=command)
    assert str(refused.value) == refusal


def test_every_unusable_host_is_named(config: MakeConfig) -> None:
    three = config(servers=[HOST, "192.0.2.2", "192.0.2.3"])
    with pytest.raises(PlanRefused) as refused:
        plan_of(three, BARE, deployed(three, "v2", "192.0.2.2"), replace(BARE, host="192.0.2.3", docker=SILENT))
    assert str(refused.value).splitlines() == [
        "192.0.2.1: docker is not installed; run `kp setup` first.",
        "192.0.2.3: the docker service does not answer; run `kp setup` first. Cannot connect to the Docker daemon",
    ]


def test_setup_installs_docker_first(config: MakeConfig) -> None:
    assert plan_of(config(), BARE, command="setup", is_setup=True) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2                                                1 host does not have it

        web: 192.0.2.1
          + docker    docker                                                      docker is not installed
          + directory .kamal, .kamal/locks, .kamal/env/roles, .kamal/env/traefik  not found
          + env file  .kamal/env/roles/shop-web.env                               not found
          + env file  .kamal/env/traefik/traefik.env                              not found
          + image     acme/shop:v2                                                not on the host
          + proxy     traefik                                                     not found
          + container shop-web-v2                                                 not found

        Plan: 0 to replace, 8 to create, 0 to change, 0 to remove, 0 unchanged.
        """)


@pytest.mark.parametrize(
    ("docker", "cause"),
    [(SILENT, "the docker service does not answer"), (CLOSED, "deploy may not use docker")],
    ids=["silent", "closed"],
)
def test_setup_repairs_docker(config: MakeConfig, docker: Docker, cause: str) -> None:
    (first, *_) = diff_host(
        Comparison(desired_host(a_run(config(), is_setup=True), HOST), replace(BARE, docker=docker))
    )
    assert (first.kind, first.cause) == ("docker", cause)


def test_a_host_that_is_not_in_the_configuration_is_refused(config: MakeConfig) -> None:
    run = a_run(config())
    with pytest.raises(PlanRefused) as refused:
        refuse(reasons_against(Comparison(desired_host(run, "192.0.2.9"), fresh("192.0.2.9"))))
    assert str(refused.value) == "192.0.2.9 is not in the configuration: leave it out with --limit, or add it to a role"


def test_only_missing_folders_are_created(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    assert plan_of(
        config(), replace(seen, directories=seen.directories - {".kamal/locks", ".kamal/env/traefik"})
    ) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + directory .kamal/locks, .kamal/env/traefik  not found

        Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 6 unchanged.
        """)


@pytest.mark.parametrize("mode", ["644", "640", "700", "400"])
def test_an_env_file_that_others_may_read_is_written_again(config: MakeConfig, mode: str) -> None:
    seen = deployed(config(), "v2")
    files = {path: replace(file, mode=mode) if "roles" in path else file for path, file in seen.files.items()}
    expected = dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ env file  .kamal/env/roles/shop-web.env  mode 644 → 600

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)
    assert plan_of(config(), replace(seen, files=files)) == expected.replace("644", mode)


def test_an_env_file_with_other_content_is_written_again(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    files = seen.files | {".kamal/env/traefik/traefik.env": ObservedFile(digest="0" * 64, mode="644")}
    assert plan_of(config(), replace(seen, files=files)) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ env file  .kamal/env/traefik/traefik.env  content changed

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)


def test_a_missing_env_file_is_created(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    files = {path: file for path, file in seen.files.items() if "roles" not in path}
    assert plan_of(config(), replace(seen, files=files)) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + env file  .kamal/env/roles/shop-web.env  not found

        Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


def test_a_host_logs_in_only_to_pull(config: MakeConfig) -> None:
    desired = desired_host(a_run(config()), HOST)
    seen = deployed(config(), "v2")
    with_proxy = tuple(image for image in seen.images if image.reference == "traefik:v2.11")
    with_app = tuple(image for image in seen.images if image.reference != "traefik:v2.11")
    assert [change.cause for change in diff_login(Comparison(desired, fresh()))] == [
        "to pull acme/shop:v2, traefik:v2.11"
    ]
    assert [change.cause for change in diff_login(Comparison(desired, fresh(images=with_proxy)))] == [
        "to pull acme/shop:v2"
    ]
    assert [change.cause for change in diff_login(Comparison(desired, fresh(images=with_app)))] == [
        "to pull traefik:v2.11"
    ]
    assert diff_login(Comparison(desired, fresh(images=seen.images))) == ()


def test_the_registry_is_named(config: MakeConfig) -> None:
    registry = {"server": "r.example.com", "username": "acme", "password": ["REGISTRY_PASSWORD"]}
    own, hub = config(registry=registry), config()
    assert [diff_login(Comparison(desired_host(a_run(each), HOST), fresh()))[0].subject for each in (own, hub)] == [
        "r.example.com",
        "Docker Hub",
    ]


def test_a_new_password_of_the_registry_changes_nothing(config: MakeConfig) -> None:
    rotated = config(environ=SECRETS | {"REGISTRY_PASSWORD": "rotated"})
    assert plan_of(rotated, deployed(config(), "v2")) == "shop v2: nothing to change.\n"
