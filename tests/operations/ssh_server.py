"""An SSH server in this process that lends ports as sshd does, and a host that is connected to it."""

from __future__ import annotations

import socket
import threading
from typing import Any

import paramiko


class Lender(paramiko.ServerInterface):
    """Lets everybody in, forwards ports if it may, and answers every command.

    Args:
        lends: whether it forwards.
        code: exit code of every command.
        reads: bytes of standard input that every command takes before it ends; all by default.
    """

    def __init__(self, *, lends: bool = True, code: int = 0, reads: int | None = None) -> None:
        self.lends, self.code, self.reads = lends, code, reads
        self.asked: list[tuple[str, int]] = []
        self.cancelled: list[tuple[str, int]] = []
        self.commands: list[str] = []
        self.typed = b""
        self.over = threading.Event()

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL  # type: ignore[no-any-return, attr-defined]

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED  # type: ignore[no-any-return, attr-defined]

    def check_port_forward_request(self, address: str, port: int) -> Any:
        self.asked.append((address, port))
        return port if self.lends else False

    def cancel_port_forward_request(self, address: str, port: int) -> None:
        self.cancelled.append((address, port))
        self.over.set()

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands.append(command.decode())
        threading.Thread(target=self._answer, args=(channel,), daemon=True).start()
        return True

    def _answer(self, channel: paramiko.Channel) -> None:
        while (self.reads is None or len(self.typed) < self.reads) and (data := channel.recv(1 << 16)):
            self.typed += data
        channel.send_exit_status(self.code)
        channel.close()


class Connector:
    """What pyinfra's SSH connector is for the code under test."""

    def __init__(self, client: paramiko.SSHClient | None) -> None:
        self.client = client


class Host:
    """A host, and what was logged of it."""

    def __init__(self, client: paramiko.SSHClient | None) -> None:
        self.connector = Connector(client)
        self.logged: list[str] = []

    def log(self, text: str) -> None:
        self.logged.append(text)


def connected(lender: Lender) -> tuple[Host, paramiko.Transport]:
    """A host behind that server, and the server's end of the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []
    thread = threading.Thread(target=lambda: accepted.append(listener.accept()[0]))
    thread.start()
    client = paramiko.SSHClient()
    here = socket.create_connection(listener.getsockname())
    thread.join(10)
    listener.close()
    server = paramiko.Transport(accepted[0])
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(server=lender, event=threading.Event())
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", username="x", password="x", sock=here, look_for_keys=False, allow_agent=False)
    return Host(client), server
