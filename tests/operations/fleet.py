"""Hosts without a network: pyinfra runs real operations on them, and what they do not expect is an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyinfra.api.output
import pyinfra.api.state
import pyinfra.connectors.base
import pytest
from pyinfra import logger
from pyinfra.api.config import Config as EngineConfig
from pyinfra.api.connect import connect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from kamal_pyinfra.operations.run_state import query_for
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import LockDetails, ObservedContainer, ObservedHost, record_text
from kamal_pyinfra.shell.script import CALL, _library
from kamal_pyinfra.shell.snapshot import snapshot


@dataclass(frozen=True)
class Effect:
    """What a command does to a server."""

    then: ObservedHost | None = None
    out: Sequence[str] = ()
    err: Sequence[str] = ()
    is_success: bool = True


@dataclass
class Server:
    """A host that knows one look and the commands that it was told; any other command fails."""

    observed: ObservedHost
    snapshot: str
    known: dict[str, Effect] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def knows(self, command: str, **effect: Any) -> None:
        """Let a command succeed, with an effect."""
        self.known[command] = Effect(**effect)

    def answer(self, command: str, stdin: str | None) -> tuple[bool, CommandOutput]:
        """Run one command."""
        if command == self.snapshot:
            return True, CommandOutput([OutputLine("stdout", line) for line in snapshot_lines(self.observed)])
        missing = {name for name in CALL.findall(command) if name in _library() and f"{name}() " not in command}
        assert not missing, f"called and not brought along: {missing}"
        self.commands.append(command)
        self.typed += [] if stdin is None else [stdin]
        if command not in self.known:
            self.unexpected.append(command)
            return False, CommandOutput([OutputLine("stderr", f"unexpected: {command}")])
        effect = self.known[command]
        self.observed = effect.then or self.observed
        lines = [
            *(OutputLine("stdout", line) for line in effect.out),
            *(OutputLine("stderr", line) for line in effect.err),
        ]
        return effect.is_success, CommandOutput(lines)


class FleetConnector(BaseConnector):
    """Hands commands to the host's :class:`Server`, and prints what pyinfra's own connectors print."""

    handles_execution = True
    server: Server

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield from ()

    def run_shell_command(
        self, command: Any, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        stdin = arguments.pop("_stdin", None)
        for name in ("_get_pty", "_timeout", "_success_exit_codes"):
            arguments.pop(name, None)
        shown = make_unix_command_for_host(self.state, self.host, command, **arguments)
        logger.debug("running on %s: %s", self.host.name, shown)
        if print_input:
            pyinfra.api.output.echo(f"{self.host.print_prefix}>>> {shown}", err=True)
        is_success, output = self.server.answer(command if isinstance(command, str) else command.get_raw_value(), stdin)
        for line in output.output_lines if print_output else ():
            pyinfra.api.output.echo(f"{self.host.print_prefix}{line}", err=True)
        return is_success, output

    def put_file(self, *arguments: Any, **options: Any) -> bool:
        raise AssertionError("operations upload no files")

    get_file = put_file


@dataclass
class Fleet:
    """Servers by name, and a pyinfra state of its own for every call."""

    run: Run
    servers: dict[str, Server]
    printed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run, observed: Mapping[str, ObservedHost]) -> Fleet:
        """Servers that are as observed."""
        look = snapshot(query_for(run))
        return cls(run, {name: Server(seen, look) for name, seen in observed.items()})

    def does(
        self,
        operation: Callable[..., Any],
        hosts: Sequence[str] | None = None,
        name: str | None = "It",
        **arguments: Any,
    ) -> State:
        """Prepare and execute one operation on hosts, by default on all."""
        inventory = Inventory((list(self.servers), {}))
        for host in inventory:
            host.connector_cls = type("Connector", (FleetConnector,), {"server": self.servers[host.name]})
        limit = [host for host in inventory if hosts is None or host.name in hosts]
        state = State(inventory, EngineConfig(FAIL_PERCENT=100), initial_limit=limit)
        for option in ("print_input", "print_output", "print_noop_info", "print_fact_info", "print_fact_input"):
            setattr(state, option, True)
        state.print_fact_output = True
        with self._printing():
            state.set_stage(StateStage.Connect)
            connect_all(state)
            state.set_stage(StateStage.Prepare)
            named = {} if name is None else {"name": name}
            add_op(state, operation, run=self.run, host=limit, **arguments, **named)
            self.printed += [text for meta in state.op_meta.values() for text in (*meta.names, *map(str, meta.args))]
            state.set_stage(StateStage.Execute)
            try:
                run_ops(state)
            except PyinfraError as error:
                self.printed.append(str(error))
        return state

    def commands(self, host: str) -> list[str]:
        """The commands that a host got since it was asked last, looks aside."""
        server = self.servers[host]
        taken, server.commands = server.commands, []
        return taken

    @property
    def unexpected(self) -> list[str]:
        """What no host was told to expect."""
        return [command for server in self.servers.values() for command in server.unexpected]

    @contextmanager
    def _printing(self) -> Iterator[None]:
        handler = _Collector(self.printed)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        with pytest.MonkeyPatch.context() as patch:
            for module in (pyinfra.api.output, pyinfra.api.state):
                if hasattr(module, "echo"):
                    patch.setattr(module, "echo", lambda text="", *_, **__: self.printed.append(str(text)))
            try:
                yield
            finally:
                logger.removeHandler(handler)
                logger.setLevel(level)


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def changed(state: State) -> list[str]:
    """Names of the hosts on which the operation changed something."""
    return [
        host.name
        for host in state.inventory
        if host in state.ops
        if any(data.operation_meta.did_change() for data in state.ops[host].values())
    ]


def failed(state: State) -> list[str]:
    """Names of the hosts on which the operation failed."""
    return sorted(host.name for host in state.failed_hosts)


def snapshot_lines(observed: ObservedHost) -> list[str]:
    """What the snapshot script prints on such a host."""
    lines = [f"user {observed.user}", f"home {observed.home}"]
    lines += [f"directory {path}" for path in sorted(observed.directories)]
    lines += [f"file {file.digest} {file.mode} {path}" for path, file in observed.files.items()]
    lines += [f"cord {'tied' if is_tied else 'cut'} {path}" for path, is_tied in observed.cords.items()]
    lines += [f"assets {path}" for path in sorted(observed.assets)]
    lines += [f"lock {observed.lock.content} {_seconds_left(observed.lock)}"] if observed.lock else []
    lines += ["login"] if observed.logged_in else []
    lines += [f"record {record_text(observed.record)}"] if observed.record else []
    if not observed.docker.installed:
        return [*lines, "docker-missing", "end"]
    if observed.docker.error:
        return [*lines, f"docker-error {observed.docker.error}", "end"]
    lines += [f"docker {observed.docker.version}", *map(_container_line, observed.containers)]
    return [*lines, *(f"image {image.reference} {image.id}" for image in observed.images), "end"]


def _seconds_left(lock: LockDetails) -> str:
    return "" if lock.seconds_left is None else str(lock.seconds_left)


def _container_line(container: ObservedContainer) -> str:
    test = ["CMD-SHELL", container.health_command]
    interval = int(container.health_interval * 1_000_000_000)
    row = {
        "id": container.id,
        "name": f"/{container.name}",
        "created": container.created,
        "image": container.image,
        "image_id": container.image_id,
        "status": container.status.value,
        "started": container.created,
        "health": container.health,
        "restarts": container.restarts,
        "labels": dict(container.labels),
        "command": list(container.command),
        "healthcheck": {"Test": test, "Interval": interval} if container.health_command else None,
        "mounts": [{"Destination": target, "Source": source} for target, source in container.mounts.items()],
        "ports": {},
        "env": [*(name if value is None else f"{name}={value}" for name, value in container.env.items()), None],
    }
    return f"container {json.dumps(row)}"
