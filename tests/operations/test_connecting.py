"""Connecting: what passes by itself is tried again, and an answer that would stay the same is not asked for twice."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import gevent
import pytest
from paramiko import AuthenticationException, BadHostKeyException, RSAKey, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import ConnectError, PyinfraError

from kamal_pyinfra.ssh.client import Jumped
from kamal_pyinfra.ssh.connection import BACK_OFF, connect_patiently
from kamal_pyinfra.ssh.host_keys import HostKeyRefused
from kamal_pyinfra.ssh.keys import NotLetIn

BANNER = "Error reading SSH protocol banner"
KEY = RSAKey.generate(1024)
PASSING = [
    ConnectionRefusedError(111, "refused"),
    ConnectionResetError(104, "reset"),
    EOFError(),
    NoValidConnectionsError({("192.0.2.1", 22): ConnectionRefusedError(111, "refused")}),
    SSHException(BANNER),
]
STAYING = [
    AuthenticationException(BANNER),
    BadHostKeyException("192.0.2.1", KEY, KEY),
    SSHException("StrictPolicy: No host key for 192.0.2.1 found in known_hosts"),
    TimeoutError("timed out"),
    socket.gaierror(-2, "Name or service not known"),
    OSError(113, "No route to host"),
    NoValidConnectionsError({("192.0.2.1", 22): ConnectionRefusedError(), ("::1", 22): OSError(113, "No route")}),
]


class Connector:
    """Fails as it was told, one attempt after the other, and then connects."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def connect(self) -> None:
        self.attempts += 1
        if self.errors:
            try:
                raise self.errors.pop(0)
            except Exception as error:
                raise ConnectError(f"Could not connect ({error})")  # noqa: B904 - as pyinfra does


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(gevent, "sleep", slept.append)
    return slept


def connecting(tmp_path, *errors: Exception) -> Connector:
    connector = Connector(*errors)
    data = {"ssh_known_hosts_file": str(tmp_path / "new/known_hosts")}
    connect_patiently(SimpleNamespace(connector=connector, data=data))
    return connector


def test_a_key_that_cannot_be_read_fails_its_host_with_the_reason(tmp_path, pauses):
    """pyinfra raises another error then, which would end the run without a word."""

    def connect() -> None:
        raise PyinfraError("No such private key file: id_gone")

    connector = SimpleNamespace(connect=connect)
    data = {"ssh_known_hosts_file": str(tmp_path / "known_hosts")}
    connect_patiently(SimpleNamespace(connector=connector, data=data))
    with pytest.raises(ConnectError, match="No such private key file: id_gone"):
        connector.connect()
    assert pauses == []


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_host_that_refuses_twice_is_connected_to_the_third_time(tmp_path, pauses, error):
    connector = connecting(tmp_path, error, error)
    connector.connect()
    assert connector.attempts == 3
    assert len(pauses) == 2
    assert all(0.8 * wanted <= slept <= 1.2 * wanted for slept, wanted in zip(pauses, BACK_OFF, strict=False))


def test_a_host_that_always_refuses_is_given_up(tmp_path, pauses):
    connector = connecting(tmp_path, *[ConnectionRefusedError(111, "refused")] * 9)
    with pytest.raises(ConnectError, match="refused"):
        connector.connect()
    assert connector.attempts == len(BACK_OFF) + 1


@pytest.mark.parametrize("said", ["", ": Not allowed at this time", ": Exceeded MaxStartups"])
def test_a_host_that_always_hangs_up_is_told_with_its_reason(tmp_path, pauses, said):
    connector = connecting(tmp_path, *[SSHException(f"{BANNER}{said}")] * 9)
    with pytest.raises(ConnectError) as failed:
        connector.connect()
    assert failed.value.args[0] == (
        "sshd ended the connection before it said who it is, 4 times: too many connections at once (MaxStartups), or a"
        f" penalty for this address (PerSourcePenalties) ({BANNER}{said})"
    )


@pytest.mark.parametrize("error", [HostKeyRefused("the key"), NotLetIn("no key"), Jumped("no way")], ids=repr)
def test_a_reason_of_ours_is_said_as_it_is(tmp_path, pauses, error):
    connector = connecting(tmp_path, error)
    with pytest.raises(ConnectError) as failed:
        connector.connect()
    assert (failed.value.args[0], connector.attempts) == (str(error), 1)


def test_whatever_else_goes_wrong_fails_its_host_alone(tmp_path, pauses):
    def connect() -> None:
        raise AttributeError("no transport")

    connector = SimpleNamespace(connect=connect)
    connect_patiently(SimpleNamespace(connector=connector, data={"ssh_known_hosts_file": str(tmp_path / "k")}))
    with pytest.raises(ConnectError, match="AttributeError: no transport"):
        connector.connect()


@pytest.mark.parametrize("error", STAYING, ids=lambda error: type(error).__name__)
def test_an_answer_that_would_stay_the_same_is_said_at_once(tmp_path, pauses, error):
    connector = connecting(tmp_path, error)
    with pytest.raises(ConnectError):
        connector.connect()
    assert (connector.attempts, pauses) == (1, [])


def test_who_never_called_ssh_gets_a_private_folder_for_host_keys(tmp_path):
    connecting(tmp_path)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
