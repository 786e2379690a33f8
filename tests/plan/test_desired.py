"""What one host should have besides containers."""

from __future__ import annotations

import hashlib

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.desired import EnvFile
from tests.conftest import SECRETS, MakeConfig, a_run


def env_files(config: Config, host: str = "192.0.2.1") -> dict[str, EnvFile]:
    return {file.path: file for file in desired_host(a_run(config), host).env_files}


def test_a_file_with_the_secrets_of_each_role_and_one_for_the_proxy(config: MakeConfig) -> None:
    files = env_files(
        config(
            env={"secret": ["TOP_SECRET"]},
            traefik={"env": {"secret": ["OTHER_SECRET"]}},
            servers={"web": ["192.0.2.1"], "job": {"hosts": ["192.0.2.1"], "env": {"secret": ["OTHER_SECRET"]}}},
        )
    )
    assert {path: file.content.get_secret_value() for path, file in files.items()} == {
        ".kamal/env/roles/shop-web.env": "TOP_SECRET=hush-top\n",
        ".kamal/env/roles/shop-job.env": "TOP_SECRET=hush-top\nOTHER_SECRET=hush-other\n",
        ".kamal/env/traefik/traefik.env": "OTHER_SECRET=hush-other\n",
    }
    assert {path: file.names for path, file in files.items()} == {
        ".kamal/env/roles/shop-web.env": ("TOP_SECRET",),
        ".kamal/env/roles/shop-job.env": ("TOP_SECRET", "OTHER_SECRET"),
        ".kamal/env/traefik/traefik.env": ("OTHER_SECRET",),
    }


def test_the_digest_of_an_env_file_is_what_sha256sum_prints(config: MakeConfig) -> None:
    file = env_files(config(env={"secret": ["TOP_SECRET"]}))[".kamal/env/roles/shop-web.env"]
    assert file.digest == hashlib.sha256(b"TOP_SECRET=hush-top\n").hexdigest()


def test_without_secrets_the_file_is_one_line_break(config: MakeConfig) -> None:
    file = env_files(config())[".kamal/env/roles/shop-web.env"]
    assert file.content.get_secret_value() == "\n"
    assert file.digest == hashlib.sha256(b"\n").hexdigest()


def test_a_hosts_tags_add_secrets_there_only(config: MakeConfig) -> None:
    tagged = config(
        env={"tags": {"special": {"secret": ["TOP_SECRET"]}}},
        servers=[{"192.0.2.1": "special"}, "192.0.2.2"],
    )
    path = ".kamal/env/roles/shop-web.env"
    assert env_files(tagged)[path].names == ("TOP_SECRET",)
    assert env_files(tagged, "192.0.2.2")[path].names == ()


def test_a_secret_without_value_is_refused(config: MakeConfig) -> None:
    forgetful = config(env={"secret": ["TOP_SECRET"]}, environ={"REGISTRY_PASSWORD": "x"})
    with pytest.raises(ConfigError, match="TOP_SECRET"):
        desired_host(a_run(forgetful), "192.0.2.1")


def test_no_secret_value_is_in_the_text_of_a_desired_host(config: MakeConfig) -> None:
    desired = desired_host(
        a_run(config(env={"secret": list(SECRETS)}, traefik={"env": {"secret": list(SECRETS)}})), "192.0.2.1"
    )
    assert [value for value in SECRETS.values() if value in repr(desired)] == []


@pytest.mark.parametrize(
    ("host", "folders"),
    [
        ("192.0.2.1", (".kamal", ".kamal/locks", ".kamal/env/roles", ".kamal/env/traefik")),
        ("192.0.2.2", (".kamal", ".kamal/locks", ".kamal/env/roles")),
    ],
)
def test_folders(config: MakeConfig, host: str, folders: tuple[str, ...]) -> None:
    assert (
        desired_host(a_run(config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.2"]})), host).directories == folders
    )


def test_the_primary_roles_container_comes_first(config: MakeConfig) -> None:
    roles = {"api": ["192.0.2.1"], "web": ["192.0.2.1"], "job": ["192.0.2.1"]}
    desired = desired_host(a_run(config(servers=roles)), "192.0.2.1")
    assert [container.name for container in desired.containers] == ["shop-web-v2", "shop-api-v2", "shop-job-v2"]


def test_a_host_has_only_its_own_roles(config: MakeConfig) -> None:
    desired = desired_host(a_run(config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.2"]})), "192.0.2.2")
    assert [container.name for container in desired.containers] == ["shop-job-v2"]
    assert [file.path for file in desired.env_files] == [".kamal/env/roles/shop-job.env"]


def test_a_run_for_some_roles_wants_only_those(config: MakeConfig) -> None:
    both = config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.1"]})
    desired = desired_host(a_run(both, roles=("job",)), "192.0.2.1")
    assert [container.name for container in desired.containers] == ["shop-job-v2"]
    assert [file.path for file in desired.env_files] == [".kamal/env/roles/shop-job.env"]
    assert desired.run.prefixes == ("shop-job",)


@pytest.mark.parametrize(("command", "retained"), [("deploy", 3), ("setup", 3), ("redeploy", None), ("rollback", None)])
def test_redeploy_and_rollback_do_not_prune(config: MakeConfig, command: str, retained: int | None) -> None:
    assert desired_host(a_run(config(retain_containers=3), command=command), "192.0.2.1").retain_containers == retained
