"""Connecting: what passes by itself is tried again, and an answer that would stay the same is not asked for twice."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import gevent
import pytest
from paramiko import AuthenticationException, BadHostKeyException, RSAKey, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import ConnectError, PyinfraError

from kamal_pyinfra.ssh.client import BACK_OFF, ROUTE, Client, Jumped, Route
from kamal_pyinfra.ssh.host_keys import HostKeyRefused, RunKeys
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


class Flaky(Client):
    """Fails as it was told, one attempt after the other, and then connects."""

    def __init__(self, folder: Path, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.attempts = 0
        self.route = Route(RunKeys, known_hosts=str(folder / "new/known_hosts"))

    def reach(self) -> None:
        """As pyinfra calls it."""
        self.connect("192.0.2.1", _pyinfra_ssh_paramiko_connect_kwargs={ROUTE: self.route})

    def _connect(self, *_: Any) -> None:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(gevent, "sleep", slept.append)
    return slept


def test_a_key_that_cannot_be_read_fails_its_host_with_the_reason(tmp_path, pauses):
    """pyinfra raises another error then, which would end the run without a word."""
    client = Flaky(tmp_path, PyinfraError("No such private key file: id_gone"))
    with pytest.raises(ConnectError, match="No such private key file: id_gone"):
        client.reach()
    assert pauses == []


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_host_that_refuses_twice_is_connected_to_the_third_time(tmp_path, pauses, error):
    client = Flaky(tmp_path, error, error)
    client.reach()
    assert client.attempts == 3
    assert len(pauses) == 2
    assert all(0.8 * wanted <= slept <= 1.2 * wanted for slept, wanted in zip(pauses, BACK_OFF, strict=False))


def test_a_host_that_always_refuses_is_given_up(tmp_path, pauses):
    client = Flaky(tmp_path, *[ConnectionRefusedError(111, "refused")] * 9)
    with pytest.raises(ConnectionRefusedError, match="refused"):
        client.reach()
    assert client.attempts == len(BACK_OFF) + 1


@pytest.mark.parametrize("said", ["", ": Not allowed at this time", ": Exceeded MaxStartups"])
def test_a_host_that_always_hangs_up_is_told_with_its_reason(tmp_path, pauses, said):
    client = Flaky(tmp_path, *[SSHException(f"{BANNER}{said}")] * 9)
    with pytest.raises(ConnectError) as failed:
        client.reach()
    assert failed.value.args[0] == (
        "sshd ended the connection before it gave its name, 4 times: too many connections at once (MaxStartups), or a"
        f" penalty for this address (PerSourcePenalties) ({BANNER}{said})"
    )


@pytest.mark.parametrize("error", [HostKeyRefused("the key"), NotLetIn("no key"), Jumped("no way")], ids=repr)
def test_a_reason_of_ours_is_said_as_it_is(tmp_path, pauses, error):
    client = Flaky(tmp_path, error)
    with pytest.raises(ConnectError) as failed:
        client.reach()
    assert (failed.value.args[0], client.attempts) == (str(error), 1)


def test_whatever_else_goes_wrong_fails_its_host_alone(tmp_path, pauses):
    with pytest.raises(ConnectError, match="AttributeError: no transport"):
        Flaky(tmp_path, AttributeError("no transport")).reach()


@pytest.mark.parametrize("error", STAYING, ids=lambda error: type(error).__name__)
def test_an_answer_that_would_stay_the_same_is_said_at_once(tmp_path, pauses, error):
    client = Flaky(tmp_path, error)
    with pytest.raises(type(error)):  # pyinfra calls it an error of this host
        client.reach()
    assert (client.attempts, pauses) == (1, [])


def test_who_never_called_ssh_gets_a_private_folder_for_host_keys(tmp_path):
    Flaky(tmp_path).reach()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
