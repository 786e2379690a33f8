"""An SSH server in this process that checks keys, refuses sessions and leads on to other servers, as sshd does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import paramiko


class Sshd:
    """One host.

    Args:
        keys: what it may show of itself.
        lets_in: public keys, and which user each is for; empty lets nobody in.
        most_attempts: after so many wrong keys it ends the connection.
        refusals: so many sessions are refused first.
        leads_on: whether it is a jump host.
    """

    def __init__(
        self,
        *keys: paramiko.PKey,
        lets_in: tuple[paramiko.PKey, ...] = (),
        most_attempts: int = 99,
        refusals: int = 0,
        leads_on: bool = True,
    ) -> None:
        self.keys = keys or (paramiko.ECDSAKey.generate(),)
        self.lets_in = [key.asbytes() for key in lets_in]
        self.most_attempts, self.refusals, self.leads_on = most_attempts, refusals, leads_on
        self.greeting = b""
        self.users: list[str] = []
        self.offered: list[bytes] = []
        self.commands: list[str] = []
        self.targets: list[tuple[str, int]] = []
        self.forwarded_agents = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                if self.greeting:
                    sock.sendall(self.greeting)
                    sock.close()
                    continue
                transport = paramiko.Transport(sock)
                for key in self.keys:
                    transport.add_server_key(key)
                self.transports.append(transport)
                transport.start_server(server=_Behaviour(self, transport), event=threading.Event())

    def close(self) -> None:
        """End it."""
        self.listener.close()
        for transport in self.transports:
            transport.close()


class _Behaviour(paramiko.ServerInterface):
    def __init__(self, sshd: Sshd, transport: paramiko.Transport) -> None:
        self.sshd, self.transport, self.wrong = sshd, transport, 0

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> Any:
        self.sshd.users.append(username)
        if key.asbytes() not in self.sshd.offered:
            self.sshd.offered.append(key.asbytes())
        if key.asbytes() in self.sshd.lets_in:
            return paramiko.AUTH_SUCCESSFUL  # type: ignore[attr-defined]
        self.wrong += 1
        if self.wrong >= self.sshd.most_attempts:
            self.transport.close()
        return paramiko.AUTH_FAILED  # type: ignore[attr-defined]

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self.sshd.refusals:
            self.sshd.refusals -= 1
            return paramiko.OPEN_FAILED_CONNECT_FAILED  # type: ignore[no-any-return, attr-defined]
        return paramiko.OPEN_SUCCEEDED  # type: ignore[no-any-return, attr-defined]

    def check_channel_forward_agent_request(self, channel: paramiko.Channel) -> bool:
        self.sshd.forwarded_agents += 1
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.sshd.commands.append(command.decode())
        answer = threading.Timer(0.1, self._answer, args=(channel,))  # after the request is granted
        answer.daemon = True
        answer.start()
        return True

    def _answer(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(OSError, EOFError):  # whoever asked may be gone
            channel.sendall(b"done\n")
            channel.send_exit_status(0)
            channel.close()

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.sshd.targets.append(destination)
        if not self.sshd.leads_on:
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED  # type: ignore[no-any-return, attr-defined]
        threading.Thread(target=self._lead, args=(destination,), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED  # type: ignore[no-any-return, attr-defined]

    def _lead(self, destination: tuple[str, int]) -> None:
        channel = self.transport.accept(10)
        target = socket.create_connection(destination)
        back = threading.Thread(target=_copy, args=(target, channel), daemon=True)
        back.start()
        _copy(channel, target)


def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        target.close()


@contextlib.contextmanager
def sshds(*hosts: Sshd) -> Iterator[None]:
    """End hosts with a test."""
    try:
        yield
    finally:
        for host in hosts:
            host.close()
