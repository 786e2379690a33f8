"""The bytes to a host: a socket or a program, and paramiko's connection on it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from gevent.select import select
from paramiko import ProxyCommand, SSHException, Transport
from paramiko.message import Message
from paramiko.packet import Packetizer
from paramiko.ssh_exception import NoValidConnectionsError

PROGRAM_SECONDS = 2  # for a program that leads to a host, to end when it is asked to
NO_BANNER = "Error reading SSH protocol banner"  # paramiko's words
RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


class Program(ProxyCommand):
    """The program of a ``ProxyCommand`` as a socket; it ends with the connection, and the connection with it."""

    def recv(self, size: int) -> bytes:
        """Return the next bytes that the program wrote; none once it is over, where paramiko's own goes on asking."""
        try:
            if not select([self.process.stdout], [], [], self.timeout)[0]:
                raise TimeoutError
            return os.read(self.process.stdout.fileno(), size)  # type: ignore[union-attr]  # made with pipes
        except ValueError:  # the pipe was closed meanwhile
            return b""

    def close(self) -> None:
        """End the program and wait for it."""
        self.process.terminate()
        try:
            self.process.wait(PROGRAM_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in filter(None, (self.process.stdin, self.process.stdout, self.process.stderr)):
            with contextlib.suppress(OSError):  # what was not written yet is of no use
                pipe.close()


def open_socket(host: str, port: int, timeout: float, family: str = "any") -> socket.socket:
    """Connect to the first address of a name that answers."""
    wanted = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(family, socket.AF_UNSPEC)
    errors: dict[Any, OSError] = {}
    for kind, _, _, _, address in socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM):
        sock = socket.socket(kind, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            errors[address] = error
        else:
            return sock
    if all(isinstance(error, ConnectionRefusedError) for error in errors.values()):
        raise NoValidConnectionsError(errors)
    last = list(errors.values())[-1]
    raise (
        TimeoutError(f"no answer from {host} port {port} in {timeout:g} s") if isinstance(last, TimeoutError) else last
    )


class Lines(Packetizer):
    """Reads packets, and keeps the lines that come before the server's name."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.before: list[str] = []

    def readline(self, timeout: float) -> str:
        """Return the next line."""
        line: str = super().readline(timeout)
        if not line.startswith("SSH-"):
            self.before.append(line.strip())
        return line


class Connection(Transport):
    """A connection that keeps what a server prints before its name, and why it hangs up."""

    def __init__(self, *arguments: Any, types: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **{**options, "packetizer_class": Lines})
        self.lines: Lines = self.packetizer  # type: ignore[assignment]  # made of this class
        algorithms = self.get_security_options()
        first = [name for kind in types for name in (RSA if kind == "ssh-rsa" else (kind,))]
        known = [name for name in first if name in algorithms.key_types]
        algorithms.key_types = (*known, *(name for name in algorithms.key_types if name not in known))

    def _check_banner(self) -> None:
        try:
            super()._check_banner()  # type: ignore[misc]  # not in its types
        except SSHException as error:
            if not self.lines.before or not str(error).startswith(NO_BANNER):
                raise
            raise SSHException(f"{NO_BANNER}: {' '.join(self.lines.before)[:300]}") from error

    def _parse_disconnect(self, message: Message) -> None:
        rest = Message(message.get_remainder())
        rest.get_int()
        self.lines.before.append(rest.get_text())
        super()._parse_disconnect(message)  # type: ignore[misc]  # not in its types
