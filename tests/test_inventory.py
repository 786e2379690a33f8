"""The hosts of the configuration as pyinfra sees them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml

from kamal_pyinfra.config import load_config
from kamal_pyinfra.inventory import load_groups, role_groups
from kamal_pyinfra.ssh.client import ROUTE, Route
from kamal_pyinfra.ssh.host_data import jump_config_file
from kamal_pyinfra.ssh.host_keys import RunKeys

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


def groups(tmp_path: Path, text: str = DEPLOY) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    (tmp_path / "deploy.yml").write_text(text)
    found = role_groups(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}))
    for data in (data for group in found.values() for _, data in group):
        kwargs = data["ssh_paramiko_connect_kwargs"]
        kwargs[ROUTE] = kwargs[ROUTE]._replace(run_keys=RunKeys)
    return found


def way(tmp_path: Path, text: str) -> Route:
    """How the first host is reached, beside user and port."""
    kwargs = groups(tmp_path, text)["web"][0][1]["ssh_paramiko_connect_kwargs"]
    assert kwargs.keys() == {ROUTE, "channel_timeout"}
    found = kwargs[ROUTE]
    assert isinstance(found, Route)
    return found


def test_groups_are_roles_and_hosts_carry_their_own_ssh(tmp_path: Path) -> None:
    shared = {
        "kp_command_timeout": 60,
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": "yes",
        "ssh_known_hosts_file": "/keys/known",
    }

    def kwargs(key: str) -> dict[str, Any]:
        return {ROUTE: Route(RunKeys, keys=(key,), is_strict=True, known_hosts="/keys/known"), "channel_timeout": 30}

    one = {**shared, "ssh_user": "ops", "ssh_paramiko_connect_kwargs": kwargs("/keys/one")}
    two = {**shared, "ssh_user": "deploy", "ssh_port": 2222, "_sudo": True}
    two["ssh_paramiko_connect_kwargs"] = kwargs("/keys/two")
    assert groups(tmp_path) == {
        "web": [("192.0.2.1", one), ("192.0.2.2", two)],
        "job": [("192.0.2.1", one)],
    }


def test_what_deploy_yml_does_not_say_is_left_to_the_files_of_ssh(tmp_path: Path) -> None:
    data = groups(tmp_path, DEPLOY.partition("ssh:")[0])["job"][0][1]
    assert data.keys().isdisjoint({"ssh_user", "ssh_port", "ssh_known_hosts_file", "ssh_key", "ssh_config_file"})
    assert data["ssh_paramiko_connect_kwargs"][ROUTE] == Route(RunKeys)
    said = "ssh: {user: root, port: 22, connect_timeout: 10, host_keys: accept-new}\n"
    data = groups(tmp_path, DEPLOY.partition("ssh:")[0] + said)["job"][0][1]
    assert (data["ssh_user"], data["ssh_port"]) == ("root", 22)
    assert data["ssh_paramiko_connect_kwargs"][ROUTE] == Route(RunKeys, timeout=10, is_strict=False)


@pytest.mark.parametrize(
    ("text", "host", "login"),
    [
        ("web1", "web1", {}),
        ("deploy@web1", "web1", {"ssh_user": "deploy"}),
        ("deploy@web1:2222", "web1:2222", {"ssh_user": "deploy", "ssh_port": 2222, "ssh_hostname": "web1"}),
        ("web1:22", "web1", {"ssh_port": 22}),
        ("2001:db8::1", "2001:db8::1", {}),
        ("[2001:db8::1]", "2001:db8::1", {}),
        ("[2001:db8::1]:2222", "[2001:db8::1]:2222", {"ssh_port": 2222, "ssh_hostname": "2001:db8::1"}),
        ("ssh://ops@web1:7", "web1:7", {"ssh_user": "ops", "ssh_port": 7, "ssh_hostname": "web1"}),
    ],
)
def test_an_address_in_any_form_reaches_its_host(tmp_path: Path, text: str, host: str, login: dict[str, Any]) -> None:
    named = yaml.safe_load(DEPLOY) | {"servers": [text, {"other": {"port": 3}}]}
    del named["ssh"]
    (name, data), other = groups(tmp_path, yaml.safe_dump(named))["web"]
    assert name == host
    assert {key: data[key] for key in data if key in ("ssh_user", "ssh_port", "ssh_hostname")} == login
    assert other[0] == "other"


def test_several_keys_are_all_offered(tmp_path: Path) -> None:
    found = way(tmp_path, DEPLOY.replace("[/keys/one]", "[/keys/one, /keys/other], keys_only: true"))
    assert (found.keys, found.keys_only) == (("/keys/one", "/keys/other"), True)


def test_jump_hosts_are_handed_over_in_their_order(tmp_path: Path) -> None:
    found = way(tmp_path, DEPLOY.replace("user: ops", "user: ops, proxy: 'me@one:7, two'"))
    assert (found.jumps, found.proxy_command) == (("me@one:7", "two"), "")
    assert way(tmp_path, DEPLOY.replace("user: ops", "proxy_command: nc %h %p")).proxy_command == "nc %h %p"


def test_keys_that_are_in_no_file_are_handed_over(tmp_path: Path) -> None:
    keys = [paramiko.ECDSAKey.generate() for _ in range(2)]
    for number, key in enumerate(keys):
        key.write_private_key_file(str(tmp_path / f"key{number}"))
    texts = [(tmp_path / f"key{number}").read_text() for number in range(2)]
    ssh = {"user": "ops", "key_data": texts, "keys": [str(tmp_path / "key1"), "/no/such"], "keys_only": True}
    found = way(tmp_path, yaml.safe_dump(yaml.safe_load(DEPLOY) | {"ssh": ssh}))
    assert [key.get_base64() for key in found.key_data()] == [key.get_base64() for key in keys]
    assert found.keys == (str(tmp_path / "key1"), "/no/such")


JUMP_FILE = """\
Host jump.example
  ForwardAgent no
  StrictHostKeyChecking yes
  UserKnownHostsFile "/keys/known"
  IdentityFile "/keys/one"
Host * !jump.example
  ProxyJump jump.example
Host *
Include ~/.ssh/config
Include /etc/ssh/ssh_config
Host jump.example
  User root
  StrictHostKeyChecking yes
"""


def test_a_terminal_gets_the_jump_host_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "user: ops, proxy: jump.example"))
    ssh = load_config(tmp_path / "deploy.yml", environ={"PW": "x"}).ssh
    path = Path(jump_config_file(ssh))
    assert path.read_text() == JUMP_FILE
    before = path.stat()
    assert Path(jump_config_file(ssh)).stat().st_mtime_ns == before.st_mtime_ns
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_file_of_a_terminal_is_never_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may read it at any moment: it is moved into place, and only if it differs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "proxy: jump.example"))
    ssh = load_config(tmp_path / "deploy.yml", environ={"PW": "x"}).ssh
    path = Path(jump_config_file(ssh))
    path.write_text("half a fi")
    number = path.stat().st_ino
    assert Path(jump_config_file(ssh)).read_text() == JUMP_FILE
    assert path.stat().st_ino != number
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_jump_host_by_alias_is_read_by_ssh_with_its_own_user_and_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a block of another host the user's file would not count for the jump host."""
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / "own"
    own.write_text("Host one\n  HostName 192.0.2.77\n  Port 2222\n  User jump\nHost *\n  ForwardAgent yes\n")
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "proxy: 'one,me@two:7'"))
    path = Path(jump_config_file(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}).ssh))
    path.write_text(path.read_text().replace("~/.ssh/config", str(own)))  # ssh asks the machine where home is

    def said(host: str) -> dict[str, str]:
        done = subprocess.run(["ssh", "-G", "-F", str(path), host], capture_output=True, text=True, check=True)
        return {line.partition(" ")[0]: line.partition(" ")[2] for line in done.stdout.splitlines()}

    one, two, behind = said("one"), said("two"), said("192.0.2.1")
    assert (one["hostname"], one["port"], one["user"], one["forwardagent"]) == ("192.0.2.77", "2222", "jump", "no")
    assert (two["user"], two["forwardagent"], "proxyjump" in two) == ("root", "no", False)
    assert behind["proxyjump"] == "one,me@two:7"


def test_a_proxy_command_is_handed_to_a_terminal_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy.yml").write_text(DEPLOY.replace("user: ops", "user: ops, proxy_command: nc -x proxy %h %p"))
    path = jump_config_file(load_config(tmp_path / "deploy.yml", environ={"PW": "x"}).ssh)
    text = "Host *\n  ProxyCommand nc -x proxy %h %p\nHost *\nInclude ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"
    assert Path(path).read_text() == text


def test_an_unusable_configuration_ends_with_its_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deploy.yml"
    path.write_text(DEPLOY + "bogus: 1\n")
    with pytest.raises(SystemExit) as end:
        load_groups(str(path))
    assert end.value.code == 3
    assert capsys.readouterr().err == f"{path}:12:1 unknown key: bogus\n"
