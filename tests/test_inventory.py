"""The hosts of the configuration as pyinfra sees them."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest
import yaml

from kamal_pyinfra.config import load_config
from kamal_pyinfra.inventory import load_groups, role_groups

DEPLOY = """
service: shop
image: shop
servers:
  web:
    hosts:
      - 192.0.2.1
      - 192.0.2.2: {user: deploy, port: 2222, key: /keys/two, sudo: true}
  job: [192.0.2.1]
registry: {username: u, password: [PW]}
ssh: {user: ops, keys: [/keys/one], known_hosts: /keys/known, host_keys: strict}
"""


def test_groups_are_roles_and_hosts_carry_their_own_ssh(tmp_path: Path) -> None:
    (tmp_path / "deploy.yml").write_text(DEPLOY)
    shared = {
        "kp_command_timeout": 60,
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": "yes",
        "ssh_connect_retries": 2,
        "ssh_connect_retry_min_delay": 0.5,
        "ssh_connect_retry_max_delay": 2.0,
        "ssh_paramiko_connect_kwargs": {"banner_timeout": 10, "channel_timeout": 30},
        "ssh_known_hosts_file": "/keys/known",
    }
    one = {**shared, "ssh_user": "ops", "ssh_port": 22, "ssh_key": "/keys/one"}
    two = {**shared, "ssh_user": "deploy", "ssh_port": 2222, "ssh_key": "/keys/two", "_sudo": True}
    assert role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"})) == {
        "web": [("192.0.2.1", one), ("192.0.2.2", two)],
        "job": [("192.0.2.1", one)],
    }


def test_several_keys_are_all_offered(tmp_path: Path) -> None:
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("[/keys/one]", "[/keys/one, /keys/other], keys_only: true"))
    data = role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}))["job"][0][1]
    assert data["ssh_paramiko_connect_kwargs"] == {
        "key_filename": ["/keys/one", "/keys/other"],
        "banner_timeout": 10,
        "channel_timeout": 30,
    }
    assert (data["ssh_allow_agent"], data["ssh_look_for_keys"], "ssh_key" in data) == (False, False, False)


def test_a_jump_host_is_handed_over_as_ssh_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "user: ops, proxy: jump.example"))
    data = role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}))["job"][0][1]
    assert Path(data["ssh_config_file"]).read_text() == (
        "Host jump.example\n"
        "  User root\n"
        "  StrictHostKeyChecking yes\n"
        "  UserKnownHostsFile /keys/known\n"
        "  IdentityFile /keys/one\n"
        "Host * !jump.example\n"
        "  ProxyJump root@jump.example\n"
        "Include ~/.ssh/config\n"
    )


def test_a_proxy_command_is_handed_over_as_ssh_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "user: ops, proxy_command: nc -x proxy %h %p"))
    data = role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}))["job"][0][1]
    text = "Host *\n  ProxyCommand nc -x proxy %h %p\nInclude ~/.ssh/config\n"
    assert Path(data["ssh_config_file"]).read_text() == text


def test_keys_that_are_in_no_file_are_offered_one_after_the_other(tmp_path: Path) -> None:
    keys = [paramiko.ECDSAKey.generate() for _ in range(2)]
    for number, key in enumerate(keys):
        key.write_private_key_file(str(tmp_path / f"key{number}"))
    texts = [(tmp_path / f"key{number}").read_text() for number in range(2)]
    ssh = {"user": "ops", "key_data": texts, "keys": [str(tmp_path / "key1"), "/no/such"], "keys_only": True}
    config = yaml.safe_load(DEPLOY) | {"ssh": ssh}
    (tmp_path / "deploy.yml").write_text(yaml.safe_dump(config))
    data = role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}))["web"][0][1]
    strategy = data["ssh_paramiko_connect_kwargs"]["auth_strategy"]
    offered = [(source.username, source.pkey) for source in strategy.get_sources()]
    assert [(user, key.get_base64()) for user, key in offered] == [
        ("ops", keys[number].get_base64()) for number in (0, 1, 1)
    ]


def test_an_unusable_configuration_ends_with_its_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deploy.yml"
    path.write_text(DEPLOY + "bogus: 1\n")
    with pytest.raises(SystemExit) as end:
        load_groups(str(path))
    assert end.value.code == 3
    assert capsys.readouterr().err == f"{path}:12:1 unknown key: bogus\n"
