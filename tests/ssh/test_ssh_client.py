"""The way to a host: user, port and jump hosts as `ssh` has them, keys, agents, and sessions that are refused."""

from __future__ import annotations

import base64
import io
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko import SSHException
from pyinfra.api.exceptions import ConnectError

from kamal_pyinfra.ssh import client as ssh_client
from kamal_pyinfra.ssh import host_keys
from kamal_pyinfra.ssh import keys as ssh_keys
from kamal_pyinfra.ssh import transport as ways
from kamal_pyinfra.ssh.client import NO_SESSION, ROUTE, Client, HungUp, Jumped, Route, SessionRefused
from kamal_pyinfra.ssh.client_config import SshConfigError
from kamal_pyinfra.ssh.host_keys import HostKeyRefused, RunKeys
from kamal_pyinfra.ssh.keys import NotLetIn
from tests.operations.sshd import Sshd

Connect = Callable[..., Client]


def a_route(**given: Any) -> Route:
    return Route(RunKeys, **given)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, an agent or files of ssh."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("kamal_pyinfra.ssh.client_config.SYSTEM", tmp_path / "none")
    monkeypatch.setattr("kamal_pyinfra.ssh.client_config.SYSTEM_KNOWN_HOSTS", ())
    return tmp_path


@pytest.fixture
def told() -> list[str]:
    """What is reported of keys that are accepted."""
    return []


@pytest.fixture
def run_keys(told: list[str]) -> RunKeys:
    """A run that knows no host and no key yet."""
    return RunKeys(on_accepted=told.append)


def reason_of(error: BaseException | None) -> BaseException | None:
    """What the text of a :class:`ConnectError` is taken from."""
    return reason_of(error.__cause__) if isinstance(error, ConnectError | HungUp) else error


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, run_keys: RunKeys) -> Iterator[Connect]:
    """Connect as pyinfra's connector does."""
    clients: list[Client] = []
    monkeypatch.setattr(ssh_client, "BACK_OFF", ())

    def to(host: Sshd | str, route: Route | None = None, **given: Any) -> Client:
        client = Client()
        clients.append(client)
        if isinstance(host, Sshd):
            given = {"port": host.port, **given}
        name = "127.0.0.1" if isinstance(host, Sshd) else host
        kwargs = {ROUTE: (route or a_route())._replace(run_keys=lambda: run_keys), "channel_timeout": 5}
        try:
            client.connect(name, _pyinfra_ssh_paramiko_connect_kwargs=kwargs, **given)
        except (ConnectError, HungUp) as error:
            raise reason_of(error) or error from None
        return client

    yield to
    for client in clients:
        client.close()


@pytest.fixture
def host() -> Iterator[Callable[..., Sshd]]:
    """A new host each time."""
    hosts: list[Sshd] = []

    def new(*keys: paramiko.PKey, **options: Any) -> Sshd:
        hosts.append(Sshd(*keys, **options))
        return hosts[-1]

    yield new
    for each in hosts:
        each.close()


def new_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> paramiko.PKey:
    """A key made by `ssh-keygen`; its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return paramiko.PKey.from_type_string(*_public(path))


def _public(path: Path) -> tuple[str, bytes]:
    kind, text = Path(f"{path}.pub").read_text().split()[:2]
    return kind, base64.b64decode(text)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """A real agent that holds keys; gives its socket."""
    running: list[subprocess.Popen[bytes]] = []

    def holding(*keys: Path, passphrase: str = "", is_default: bool = True) -> str:
        place = str(tmp_path / f"agent{len(running)}")
        running.append(subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL))
        for _ in range(200):
            if Path(place).exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        ask = tmp_path / "ask"
        ask.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        ask.chmod(0o700)
        env = {**os.environ, "SSH_AUTH_SOCK": place, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, env=env, stdin=subprocess.DEVNULL)
        if is_default:
            monkeypatch.setenv("SSH_AUTH_SOCK", place)
        return place

    yield holding
    for process in running:
        process.kill()
        process.wait()


def test_port_user_and_name_of_the_users_own_file_count(connect, host, home):
    key = new_key(home / "key")
    there = host(lets_in=(key,))
    (home / ".ssh/config").write_text(
        f"Host web1\n HostName 127.0.0.1\n Port {there.port}\n User deploy\n IdentityFile {home}/key\n"
    )
    connect("web1")
    assert there.users[-1] == "deploy"
    connect("web1", username="ops")
    assert there.users[-1] == "ops"


def test_with_nothing_said_it_is_root(connect, host, home):
    there = host(lets_in=(new_key(home / ".ssh/id_ed25519"),))
    connect(there)
    assert there.users[-1] == "root"


@pytest.mark.parametrize("named", ["keys", "IdentityFile"])
def test_a_key_file_that_is_not_there_is_left_out(connect, host, home, agent, run_keys, named):
    """Others and the agent are tried all the same."""
    key = new_key(home / "elsewhere")
    there = host(lets_in=(key,))
    agent(home / "elsewhere")
    if named == "keys":
        connect(there, a_route(keys=(str(home / "nope"), str(home / "nor this"))))
    else:
        (home / ".ssh/config").write_text("Host *\n  IdentityFile ~/.ssh/nope\n")
        connect(there)
    second, left_out = host(lets_in=(key,)), []
    run_keys.on_left_out = left_out.append
    connect(second, a_route(keys=(str(home / "nope"), str(home / "elsewhere")), keys_only=True))
    assert left_out == ["127.0.0.1: ~/nope is not there"]


def test_when_nothing_lets_us_in_all_that_was_tried_is_named(connect, host, home, agent):
    new_key(home / ".ssh/one")
    new_key(home / "held")
    new_key(home / "locked", "secret")
    agent(home / "held")
    (home / "text").write_text("no key\n")
    keys = tuple(str(home / name) for name in (".ssh/nope", ".ssh/one", "locked", "text"))
    with pytest.raises(NotLetIn) as refused:
        connect(host(), a_route(keys=keys))
    assert str(refused.value) == (
        "127.0.0.1 does not let root in: tried ~/.ssh/one, "
        f"held ({host_keys.fingerprint(_public(home / 'held')[1])}) of the agent; ~/.ssh/nope is not there; "
        "~/text holds no private key that can be read; ~/locked has a passphrase; run ssh-add"
    )


def test_without_any_key_that_is_what_is_said(connect, host):
    with pytest.raises(NotLetIn, match=r"^127\.0\.0\.1 does not let root in: there was no key to offer$"):
        connect(host())


@pytest.mark.parametrize("beside", [True, False], ids=["with .pub", "in the file"])
@pytest.mark.parametrize("is_only", [True, False])
def test_an_encrypted_key_that_the_agent_holds_is_asked_of_the_agent(connect, host, home, agent, beside, is_only):
    """First of all, though the agent holds many others, and nobody types a passphrase."""
    key = new_key(home / "id", "secret")
    others = [home / f"other{number}" for number in range(3)]
    for other in others:
        new_key(other)
    agent(*others, home / "id", passphrase="secret")
    if not beside:
        (home / "id.pub").unlink()
    there = host(lets_in=(key,), most_attempts=1)
    connect(there, a_route(keys=(str(home / "id"),), keys_only=is_only))
    assert there.offered == [key.asbytes()]


def test_a_key_of_which_only_the_public_half_is_here_is_asked_of_the_agent(connect, host, home, agent):
    key = new_key(home / "id")
    agent(home / "id")
    (home / "id").unlink()
    for named in ("id", "id.pub"):
        there = host(lets_in=(key,))
        connect(there, a_route(keys=(str(home / named),), keys_only=True))
        assert there.offered == [key.asbytes()]


def test_without_a_terminal_an_encrypted_key_is_named_with_the_way_out(connect, host, home, monkeypatch):
    key = new_key(home / ".ssh/id_ed25519", "secret")
    monkeypatch.setattr(ssh_keys, "getpass", lambda _: pytest.fail("asked"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(NotLetIn, match=r"; ~/\.ssh/id_ed25519 has a passphrase; run ssh-add$"):
        connect(host(lets_in=(key,)), a_route(keys=(str(home / ".ssh/id_ed25519"),)))


def typing(monkeypatch: pytest.MonkeyPatch, *typed: str) -> list[str]:
    """Somebody at a terminal, who types these."""
    asked: list[str] = []
    left = list(typed)

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr(ssh_keys, "getpass", getpass)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    return asked


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_on_a_terminal_the_passphrase_is_asked_for_once_in_a_run(connect, host, home, monkeypatch, kind):
    key = new_key(home / "id", "secret", kind)
    asked = typing(monkeypatch, "secret")
    for _ in range(2):
        connect(host(lets_in=(key,)), a_route(keys=(str(home / "id"),)))
    assert asked == ["Passphrase of ~/id: "]


def test_a_wrong_passphrase_is_said_and_not_asked_for_again(connect, host, home, monkeypatch):
    key = new_key(home / "id", "secret")
    asked = typing(monkeypatch, "wrong")
    for _ in range(2):
        with pytest.raises(NotLetIn, match="the passphrase of ~/id was wrong"):
            connect(host(lets_in=(key,)), a_route(keys=(str(home / "id"),)))
    assert len(asked) == 1


def test_the_agent_of_the_users_own_file_is_asked(connect, host, home, agent):
    key = new_key(home / "id")
    place = agent(home / "id", is_default=False)
    there = host(lets_in=(key,))
    with pytest.raises(NotLetIn):
        connect(there)
    (home / ".ssh/config").write_text(f"IdentityAgent {place}\n")
    connect(there)


def test_an_agent_that_does_not_answer_holds_nobody_up(connect, host, home, monkeypatch):
    key = new_key(home / "id")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(home / "silent"))
        silent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "silent"))
        monkeypatch.setattr(ssh_keys, "LIST_SECONDS", 0.2)
        connect(host(lets_in=(key,)), a_route(keys=(str(home / "id"),)))
        with pytest.raises(NotLetIn, match="the agent at ~/silent does not answer"):
            connect(host())


def test_a_host_that_counts_attempts_is_told_so(connect, host, home):
    for name in ("a", "b", "c"):
        new_key(home / name)
    with pytest.raises(NotLetIn, match=r"tried ~/a, ~/b \(the host ended the connection: MaxAuthTries"):
        connect(host(most_attempts=2), a_route(keys=tuple(str(home / name) for name in "abc")))


def test_a_new_key_is_told_once_and_remembered_within_the_run_too(connect, host, home, told):
    key, server = new_key(home / "id"), paramiko.ECDSAKey.generate()
    there = host(server, lets_in=(key,))
    route = a_route(keys=(str(home / "id"),))
    for _ in range(2):
        connect(there, route)
    shown = f"{server.get_name()} {host_keys.fingerprint(server.asbytes())}"
    name = f"[127.0.0.1]:{there.port}"
    assert told == [f"{name}: new host key accepted, {shown}, written to {home}/.ssh/known_hosts"]
    assert (home / ".ssh/known_hosts").read_text() == f"{name} {server.get_name()} {server.get_base64()}\n"
    (home / ".ssh/known_hosts").unlink()
    there.keys = (paramiko.RSAKey.generate(2048),)
    with pytest.raises(HostKeyRefused, match="is another than it had a moment ago"):
        connect(there, route)


def test_a_host_with_several_keys_shows_the_one_that_is_known(connect, host, home, told):
    key, known = new_key(home / "id"), paramiko.RSAKey.generate(2048)
    there = host(paramiko.ECDSAKey.generate(), known, lets_in=(key,))
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{there.port} {known.get_name()} {known.get_base64()}\n")
    connect(there, a_route(keys=(str(home / "id"),)))
    assert told == []


@pytest.mark.parametrize("is_strict", [True, None])
def test_an_unknown_host_is_refused_where_the_configuration_or_the_users_file_is_strict(
    connect, host, home, told, is_strict
):
    (home / ".ssh/config").write_text("StrictHostKeyChecking yes\n")
    there = host()
    with pytest.raises(HostKeyRefused, match="`host_keys: strict` refuses"):
        connect(there, a_route(is_strict=is_strict))
    assert (told, there.users) == ([], [])


def test_no_agent_is_forwarded_to_the_host_nor_to_its_jump_host(connect, host, home, agent):
    key = new_key(home / "id")
    agent(home / "id")
    jump, there = host(lets_in=(key,)), host(lets_in=(key,))
    (home / ".ssh/config").write_text(
        f"Host bastion\n HostName 127.0.0.1\n Port {jump.port}\nHost 127.0.0.1\n ProxyJump bastion\n"
        "Host *\n ForwardAgent yes\n"
    )
    client = connect(there)
    client.exec_command("id")
    assert jump.targets == [("127.0.0.1", there.port)]
    assert (jump.forwarded_agents, there.forwarded_agents) == (0, 0)


def test_jump_hosts_by_alias_have_their_own_user_port_and_key(connect, host, home, told):
    first_key, second_key, key = (new_key(home / name) for name in ("first", "second", "id"))
    first, second, there = host(lets_in=(first_key,)), host(lets_in=(second_key, key)), host(lets_in=(key,))
    (home / ".ssh/config").write_text(
        f"Host one\n HostName 127.0.0.1\n Port {first.port}\n User jump\n IdentityFile {home}/first\n"
        f"Host two\n HostName 127.0.0.1\n Port {second.port}\n IdentityFile {home}/second\n"
    )
    connect(there, a_route(jumps=("one", "me@two"), keys=(str(home / "id"),)))
    assert (first.users[-1], second.users[-1], there.users[-1]) == ("jump", "me", "root")
    assert first.targets == [("127.0.0.1", second.port)]
    assert second.targets == [("127.0.0.1", there.port)]
    assert len(told) == 3
    connect(there, a_route(jumps=(f"127.0.0.1:{second.port}",), keys=(str(home / "id"),)))
    assert second.users[-1] == "root"


def test_a_jump_host_with_another_key_is_refused_before_anything_goes_through_it(connect, host, home):
    jump, there = host(), host()
    other = paramiko.ECDSAKey.generate()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{jump.port} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(HostKeyRefused, match=rf"the key of \[127\.0\.0\.1\]:{jump.port} is another than"):
        connect(there, a_route(jumps=(f"127.0.0.1:{jump.port}",)))
    assert (jump.users, there.users) == ([], [])


def test_a_jump_host_that_does_not_lead_on_says_so(connect, host, home):
    key = new_key(home / "id")
    jump, there = host(lets_in=(key,), leads_on=False), host(lets_in=(key,))
    with pytest.raises(Jumped, match=f"does not lead on to 127.0.0.1 port {there.port}: Administratively prohibited"):
        connect(there, a_route(jumps=(f"127.0.0.1:{jump.port}",), keys=(str(home / "id"),)))


def test_jump_hosts_that_lead_to_each_other_end(connect, home):
    (home / ".ssh/config").write_text("Host a\n ProxyJump b\nHost b\n ProxyJump a\nHost *\n ProxyJump c\n")
    with pytest.raises(Jumped, match="more than 8 jump hosts lead to each other"):
        connect("a")


def test_a_command_to_go_through_is_run_by_a_shell_with_its_tokens(connect, host, home):
    key = new_key(home / "id")
    there = host(lets_in=(key,))
    relay = home / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def back():\n"
        "    while d := s.recv(65536): os.write(1, d)\n"
        "threading.Thread(target=back, daemon=True).start()\n"
        "while d := os.read(0, 65536): s.sendall(d)\n"
    )
    command = f"env X=1 python3 {relay} %h %p 2> {home}/log-%r"
    client = connect(there, a_route(proxy_command=command, keys=(str(home / "id"),)))
    client.close()
    assert (home / "log-root").exists()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(ssh_client.gevent, "sleep", slept.append)
    return slept


def test_a_session_that_is_refused_is_asked_for_again(connect, host, home, quick):
    key = new_key(home / "id")
    there = host(lets_in=(key,), refusals=3)
    client = connect(there, a_route(keys=(str(home / "id"),)))
    _, stdout, _ = client.exec_command("id")
    assert (stdout.read(), there.commands, len(quick)) == (b"done\n", ["id"], 3)


def test_a_session_that_is_always_refused_is_told_with_its_reason(connect, host, home, quick):
    key = new_key(home / "id")
    there = host(lets_in=(key,), refusals=99)
    client = connect(there, a_route(keys=(str(home / "id"),)))
    with pytest.raises(SessionRefused, match=r"^sshd allows no further session on this connection \(MaxSessions"):
        client.exec_command("id")
    transport = client.get_transport()
    assert transport is not None
    with pytest.raises(SessionRefused):
        ssh_client.open_session(transport, 5)
    assert 0.8 < sum(quick) / 2 < 1.3
    assert (there.commands, NO_SESSION.startswith("sshd")) == ([], True)


@pytest.mark.parametrize("greeting", [b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
def test_what_a_host_says_before_it_hangs_up_is_kept(connect, host, greeting):
    there = host()
    there.greeting = greeting
    with pytest.raises(SSHException, match=f"^Error reading SSH protocol banner: {greeting.decode().strip()}$"):
        connect(there)


def test_a_host_of_which_one_address_answers_is_reached(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = [(socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(ways.socket, "getaddrinfo", lambda *_: found)
        with ways.open_socket("web1", port, 2) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)


def test_a_file_of_ssh_that_cannot_be_understood_fails_its_host(connect, home):
    (home / ".ssh/config").write_text("Port x\n")
    with pytest.raises(SshConfigError, match="config:1: 'x' should be a number"):
        connect("127.0.0.1")


def test_hosts_without_a_route_are_pyinfras(home, host):
    """Another inventory in the same process is connected to as pyinfra does."""
    there = host()
    with pytest.raises(paramiko.AuthenticationException):
        Client().connect(
            "127.0.0.1",
            port=there.port,
            username="x",
            pkey=paramiko.ECDSAKey.generate(),
            allow_agent=False,
            look_for_keys=False,
            _pyinfra_ssh_strict_host_key_checking="no",
        )
