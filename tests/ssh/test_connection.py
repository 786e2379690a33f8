"""How a connection is set up: commands go at once, and a cut is noticed."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from paramiko import Channel

from kamal_pyinfra.ssh.connection import configure


class Transport:
    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.keepalive = 0

    def get_username(self) -> str:
        return "root"

    def set_keepalive(self, seconds: int) -> None:
        self.keepalive = seconds


def host(transport: Transport | None) -> Any:
    return SimpleNamespace(
        name="192.0.2.1",
        connector=SimpleNamespace(client=SimpleNamespace(get_transport=lambda: transport, exec_command=None)),
        connector_data={},
        data={},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the options are Linux's")
def test_a_connection_is_probed_and_given_up_behind_a_jump_host_too():
    with socket.socket() as sock:
        outer = Transport(sock)
        channel = create_autospec(Channel, instance=True)
        channel.get_transport.return_value = outer
        inner = Transport(channel)
        configure(host(inner))
        assert (inner.keepalive, outer.keepalive) == (10, 10)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_what_is_no_network_connection_is_left_as_it_is():
    through_a_program = Transport(SimpleNamespace())
    configure(host(through_a_program))
    assert through_a_program.keepalive == 10
    configure(host(None))
    configure(SimpleNamespace(connector=SimpleNamespace(), connector_data={}, data={}))
