"""pyinfra's SSH client, made to do as ``ssh`` does, for hosts of our configuration alone.

pyinfra's own reads ``~/.ssh/config`` and known_hosts in its way: an error in a file is passed over and then every key
is accepted, a key that is not there ends the run, an agent is forwarded to jump hosts. So the way to a host is ours
from the socket on. Its class has to stand where pyinfra's connector finds it; other hosts are passed on unchanged.
"""

from __future__ import annotations

import contextlib
import random
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import paramiko.client
from paramiko import Channel, ChannelException, PKey, SSHException, Transport
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.connectors.ssh_util import _patch_paramiko_sk_key_support
from pyinfra.connectors.sshuserclient.client import SSHClient

from kamal_pyinfra.config.values import parse_address
from kamal_pyinfra.ssh import client_config
from kamal_pyinfra.ssh.client_config import DEFAULT_USER, HostSettings, SshConfigError, expanded, host_settings
from kamal_pyinfra.ssh.host_keys import USER_FILE, HostKeyRefused, HostKeys, RunKeys
from kamal_pyinfra.ssh.keys import NotLetIn, Offering
from kamal_pyinfra.ssh.transport import Connection, Program, open_socket

ROUTE = "kp_route"  # name of the `Route` among what pyinfra hands over for its SSH library
DEFAULT_PORT, DEFAULT_TIMEOUT = 22, 10
MOST_JUMPS = 8
REFUSED_SESSION_SECONDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Between attempts to begin a session that sshd refuses: the one before may not be closed on the host yet."""
NO_SESSION = "sshd allows no further session on this connection (MaxSessions in its sshd_config)"
BACK_OFF = (0.5, 1.0, 2.0)  # seconds before each new attempt to connect, give or take a fifth
DROPPED = ("error reading ssh protocol banner", "connection reset", "server connection dropped")
TRANSIENT = (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, EOFError)


def no_keys() -> tuple[PKey, ...]:
    """Return the keys of a host without keys in no file."""
    return ()


class Route(NamedTuple):
    """What ``deploy.yml`` has about the way to a host; user and port are pyinfra's, where they are given.

    It is among the host's data, which pyinfra prints as JSON when it is asked to: a tuple, with functions for keys.
    """

    run_keys: Callable[[], RunKeys]  # returns what all connections of the run share
    keys: tuple[str, ...] = ()  # files with private keys, instead of those of ``~/.ssh/config``
    key_data: Callable[[], tuple[PKey, ...]] = no_keys  # returns keys in no file
    keys_only: bool = False  # nothing that an agent holds besides these
    is_strict: bool | None = None  # refuse a host whose key is unknown; ``None`` leaves it to ``~/.ssh/config``
    known_hosts: str | None = None  # file with host keys, instead of the user's
    jumps: tuple[str, ...] = ()  # hosts to go through, as ``[user@]host[:port]``, instead of those of ``~/.ssh/config``
    proxy_command: str = ""  # to go through, where there are no jumps
    timeout: int | None = None  # seconds to wait for a connection; ``None`` leaves it to ``~/.ssh/config``
    banner_timeout: int = DEFAULT_TIMEOUT  # seconds for a host that is connected to give its name


class SessionRefused(SSHException):
    """sshd begins no further session on a connection; nothing was sent."""


class Jumped(SSHException):
    """A jump host does not lead on."""


class HungUp(SSHException):
    """sshd ends each connection before it gives its name."""


OURS = (HostKeyRefused, NotLetIn, Jumped, SshConfigError, HungUp)
"""Reasons that need no other words; pyinfra puts "SSH error" before others."""


class Client(SSHClient):
    """One connection, and those to its jump hosts."""

    hops: tuple[Client, ...] = ()
    depth = 0

    def connect(self, hostname: str, **kwargs: Any) -> None:  # type: ignore[override]  # pyinfra's is untyped
        """Connect as pyinfra's ``SSHConnector`` asks for it, and raise what that catches."""
        given = dict(kwargs.get("_pyinfra_ssh_paramiko_connect_kwargs") or {})
        route = given.pop(ROUTE, None)
        if route is None:
            super().connect(hostname, **kwargs)  # type: ignore[no-untyped-call]  # as above
            return
        folder = Path(expanded(route.known_hosts or USER_FILE)).parent
        if not folder.exists():  # without any use of `ssh` there is none
            folder.mkdir(parents=True, mode=0o700)
        try:
            connect_with_retries(partial(self._connect, hostname, route, given, kwargs))
        except (*OURS, PyinfraError) as error:
            raise ConnectError(str(error)) from error
        except (SSHException, OSError, EOFError):
            raise
        except Exception as error:  # it would end the run with a traceback, and name no host
            raise ConnectError(f"{type(error).__name__}: {error}") from error

    def _connect(self, hostname: str, route: Route, given: dict[str, Any], kwargs: dict[str, Any]) -> None:
        _patch_paramiko_sk_key_support()
        file = kwargs.get("_pyinfra_ssh_config_file")
        user, port = kwargs.get("username"), kwargs.get("port")
        found = host_settings(hostname, user=user, port=port, default_user=DEFAULT_USER, file=file)
        if route.jumps:
            found = replace(found, proxy_jump=route.jumps, proxy_command="")
        elif route.proxy_command:
            found = replace(found, proxy_jump=(), proxy_command=found.expand(route.proxy_command))
        # What an inventory of the user's own has, by pyinfra's names.
        known_hosts, key = kwargs.get("_pyinfra_ssh_known_hosts_file"), kwargs.get("pkey")
        if known_hosts:
            route = route._replace(known_hosts=known_hosts)
        if kwargs.get("_pyinfra_ssh_strict_host_key_checking") == "yes":
            route = route._replace(is_strict=True)
        if key is not None:
            keys = (*route.key_data(), key)
            route = route._replace(key_data=lambda: keys)
        self._open(found, route, file, given, kwargs.get("password"))

    def _open(
        self, found: HostSettings, route: Route, file: str | None, given: dict[str, Any], password: str | None = None
    ) -> None:
        found, port = _with_route(found, route), found.port or DEFAULT_PORT
        names = (found.host_name,) if port == DEFAULT_PORT else (f"[{found.host_name}]:{port}", found.host_name)
        keys = HostKeys((found.host_key_alias,) if found.host_key_alias else names, found, route.run_keys())
        self._ssh_config, self.identity_agent = {"port": port}, None  # pyinfra's connector reads them
        self.set_missing_host_key_policy(keys)  # asked for every key, since paramiko is given none
        try:
            if found.proxy_jump:
                sock: Any = self._through(found, route, port, file)
            elif found.proxy_command:  # by a shell, as ssh does
                sock = Program(shlex.join(["/bin/sh", "-c", f"exec {found.proxy_command}"]))
            else:
                sock = open_socket(
                    found.host_name, port, found.connect_timeout or DEFAULT_TIMEOUT, found.address_family
                )
            paramiko.client.SSHClient.connect(
                self,
                found.host_name,
                port=port,
                username=found.user,
                timeout=found.connect_timeout,
                sock=sock,
                auth_strategy=Offering(found, route.key_data(), route.run_keys(), password),
                transport_factory=partial(Connection, types=keys.types),
                **{"banner_timeout": route.banner_timeout, **given},
            )
        except BaseException:
            self.close()
            raise

    def _through(self, found: HostSettings, route: Route, port: int, file: str | None) -> Channel:
        *before, last = found.proxy_jump
        hop = Client()
        self.hops = (hop,)
        hop.jump(last, before, route, file, depth=self.depth + 1)
        transport = hop.get_transport()
        if transport is None:
            raise Jumped(f"the connection to jump host {last} ended")
        try:
            channel: Channel = transport.open_channel(
                "direct-tcpip", (found.host_name, port), ("127.0.0.1", 0), timeout=found.connect_timeout
            )
        except ChannelException as error:
            if error.code == 2:  # connect failed (RFC 4254, 5.1), as a host that starts anew does
                raise ConnectionRefusedError(f"{found.host_name} port {port} by way of {last}: {error.text}") from None
            raise Jumped(f"jump host {last} does not lead on to {found.host_name} port {port}: {error.text}") from None
        return channel

    def jump(self, text: str, before: Sequence[str], route: Route, file: str | None, *, depth: int) -> None:
        """Connect to a jump host, ``[user@]host[:port]``, by way of those before, else of those in ``~/.ssh/config``.

        The route is of the host behind it, and holds for the jump host too where ``deploy.yml`` names that; ``depth``
        connections go through it.
        """
        self.depth = depth
        address = parse_address(text)
        if address is None:
            raise Jumped(f"{text!r} is no jump host: write [user@]host[:port]")
        if depth > MOST_JUMPS:
            raise Jumped(f"more than {MOST_JUMPS} jump hosts lead to each other")
        default = DEFAULT_USER if route.jumps else client_config.local_user()
        host, user, port = address.host, address.user, address.port
        found = host_settings(host, user=user, port=port, default_user=default, file=file)
        own_jumps = [parse_address(hop) for hop in found.proxy_jump]
        if before:
            found = replace(found, proxy_jump=tuple(before), proxy_command="")
        elif any(hop is not None and hop.host == found.alias for hop in own_jumps):
            found = replace(found, proxy_jump=())  # it is its own jump host, as with `Host *` and a `ProxyJump`
        if not route.jumps:
            route = Route(route.run_keys, is_strict=route.is_strict, banner_timeout=route.banner_timeout)
        self._open(found, route, file, {})

    def exec_command(self, *arguments: Any, **options: Any) -> Any:
        """Begin a command; a session that sshd refuses is asked for again for about a second."""
        return _patiently(partial(super().exec_command, *arguments, **options))

    def close(self) -> None:
        """End the connection, then those that lead to it."""
        with contextlib.suppress(EOFError, OSError, SSHException):  # the way there may be gone
            super().close()
        for hop in self.hops:
            hop.close()
        self.hops = ()


def open_session(transport: Transport, timeout: float) -> Channel:
    """Open a new session on a connection, asked for as :meth:`Client.exec_command` does."""
    channel: Channel = _patiently(partial(transport.open_session, timeout=timeout))
    return channel


def _patiently(begin: Any) -> Any:
    pauses = iter(REFUSED_SESSION_SECONDS)
    while True:
        try:
            return begin()
        except ChannelException as error:
            if (seconds := next(pauses, None)) is None:
                raise SessionRefused(NO_SESSION) from error
            gevent.sleep(seconds)


def _with_route(found: HostSettings, route: Route) -> HostSettings:
    """What the files have about a host, with what ``deploy.yml`` has, which comes first."""
    return replace(
        found,
        identity_files=route.keys if route.keys_only else tuple(dict.fromkeys((*route.keys, *found.identity_files))),
        identities_only=route.keys_only or found.identities_only,
        known_hosts=(expanded(route.known_hosts),) if route.known_hosts else found.known_hosts,
        strict={None: found.strict, True: "yes", False: "no"}[route.is_strict],
        connect_timeout=route.timeout or found.connect_timeout or DEFAULT_TIMEOUT,
    )


def connect_with_retries(connect: Callable[[], None]) -> None:
    """Connect, and once more where the host refused: sshd starts anew, or has too many at once.

    Never after an answer that would be the same again (authentication, host key, unknown name), and not when nothing
    answers at all, for which ``ssh.connect_timeout`` is the time. A failure is raised as it came, or as HungUp.
    """
    pauses = iter(BACK_OFF)
    while True:
        try:
            return connect()
        except (SSHException, OSError, EOFError) as error:
            if not is_transient(error):
                raise
            if (seconds := next(pauses, None)) is not None:
                gevent.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - so that hosts do not come in step
            elif isinstance(error, ConnectionRefusedError | NoValidConnectionsError):
                raise  # nothing listens there, or a firewall refuses
            else:
                raise HungUp(
                    f"sshd ended the connection before it gave its name, {len(BACK_OFF) + 1} times: too many "
                    "connections at once (MaxStartups), or a penalty for this address (PerSourcePenalties) "
                    f"({str(error) or type(error).__name__})"
                ) from error


def is_transient(error: BaseException) -> bool:
    """Whether a failure to connect may be over in a moment."""
    if isinstance(error, NoValidConnectionsError):  # one error for each address of the name
        return all(is_transient(each) for each in error.errors.values())
    is_dropped = type(error) is SSHException and any(text in str(error).lower() for text in DROPPED)
    return is_dropped or isinstance(error, TRANSIENT)
