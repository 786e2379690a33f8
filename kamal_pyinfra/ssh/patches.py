"""Everything that kp changes in pyinfra, paramiko, gevent and the standard library; nothing else does (tests/ssh).

Each has why, the version in which it was needed last, and when it can go; the requests to those projects are in
docs/notes. What a subclass can do is none of these (:class:`~kamal_pyinfra.ssh.client.Client` and its transport).

Nothing of third parties is imported with this file: the order in which they are loaded is part of it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module, metadata
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.state import State

Streams = tuple[Any, Any, Any]
Execute = Callable[..., Streams]  # `exec_command` of paramiko's client: a command becomes its three streams
LATE = (
    *("jinja2", "packaging.markers", "packaging.requirements", "packaging.specifiers", "packaging.version"),
    *("unittest.mock", "invoke"),
)
MATCH_SECONDS = 30  # for a command of `Match exec`, whose exit code alone counts


def load_early() -> None:
    """While the engine and the configuration load, ``importlib.metadata.entry_points`` reads all metadata once.

    Why: gevent's ``patch_all`` calls it for each event, pydantic once more: 0.06 s. In: gevent 26.9. Can go: when
    ``patch_all`` calls it once.
    """
    original = metadata.entry_points
    metadata.entry_points = original().select
    try:
        # gevent replaces every lock that there is, and searches all objects for them: the fewer there are, the sooner.
        import_module("pyinfra_cli")
        import_module("kamal_pyinfra.config")
    finally:
        metadata.entry_points = original


class StandIn:
    """Stands for a class or function that is not loaded yet."""

    of: ClassVar[tuple[str, str]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return what the real one returns."""
        return _real(cls)(*map(_real, args), **{name: _real(value) for name, value in kwargs.items()})


def _real(value: Any) -> Any:
    """What something stands for; what is no stand-in, itself."""
    is_late = isinstance(value, type) and issubclass(value, StandIn)
    return getattr(import_module(value.of[0]), value.of[1]) if is_late else value


def _empty(module: str) -> ModuleType:
    """A module that has every name, save those that Python itself needs."""

    def stand_in(name: str) -> type[StandIn]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (StandIn,), {"of": (module, name)})

    made = ModuleType(module)
    made.__getattr__ = stand_in  # type: ignore[method-assign] # https://peps.python.org/pep-0562
    return made


def load_engine() -> None:
    """Load pyinfra without the modules of :data:`LATE`, whose names make the real ones when they are called.

    Why: pyinfra loads jinja2 for templates and packaging for ``REQUIRE_PACKAGES``, typeguard ``unittest.mock`` (with
    asyncio) for tests, paramiko ``invoke`` for ``Match exec``: a tenth of the time until hosts are asked. In: pyinfra
    3.10, typeguard 4, paramiko 3. Can go: when ``import pyinfra.api`` loads none of them.
    """
    import_module("pyinfra_cli")  # patches the standard library for gevent; must come before pyinfra
    absent = [name for name in LATE if name not in sys.modules]
    sys.modules.update((name, _empty(name)) for name in absent)
    try:
        import_module("pyinfra.api.config")
    finally:
        for name in absent:
            del sys.modules[name]
    _run_match_exec()
    _let_proxies_wait()


class Invoke:
    """What paramiko uses of the library ``invoke``."""

    @staticmethod
    def run(command: str, **_: Any) -> SimpleNamespace:
        """Run a command in the user's shell (ssh_config(5)); ``ok`` of the result is whether it succeeded."""
        argv = [os.environ.get("SHELL") or "/bin/sh", "-c", command]
        null = subprocess.DEVNULL
        try:
            done = subprocess.run(argv, stdin=null, stdout=null, stderr=null, check=False, timeout=MATCH_SECONDS)  # noqa: S603 - the user's own configuration
        except (OSError, subprocess.TimeoutExpired):
            return SimpleNamespace(ok=False)
        return SimpleNamespace(ok=done.returncode == 0)


def _run_match_exec() -> None:
    """``paramiko.config.invoke``, which runs the commands of ``Match exec``, is :class:`Invoke`.

    Why: pyinfra's ``FakeInvoke`` takes the command for the name of a script, so nothing ever matches. In: pyinfra
    3.10. Can go: when ``FakeInvoke.run("true").ok``.
    """
    import_module("pyinfra.connectors.sshuserclient.config")  # replaces it, too
    import_module("paramiko.config").invoke = Invoke  # type: ignore[attr-defined]


def _let_proxies_wait() -> None:
    """``paramiko.proxy.select`` is gevent's.

    Why: paramiko keeps the one that it found; a proxy command that is silent would stop all hosts where paramiko was
    imported before pyinfra. In: paramiko 4.0. Can go: when paramiko writes ``select.select(…)``.
    """
    import_module("paramiko.proxy").select = select.select  # type: ignore[attr-defined]


def report_no_traceback() -> None:
    """gevent's hub prints nothing when a greenlet ends with ``PyinfraError``.

    Why: a host that failed is reported in words. In: pyinfra 3.10. Can go: when pyinfra adds it to ``NOT_ERROR``.
    """
    hub, error = import_module("gevent").get_hub(), import_module("pyinfra.api.exceptions").PyinfraError
    hub.NOT_ERROR = tuple({*hub.NOT_ERROR, error})


def name_operations_by_place() -> None:
    """``pyinfra.is_cli`` is true.

    Why: operations are then identified by their place in the source, and not by a counter for each host, which differs
    where hosts do different things. In: pyinfra 3.10. Can go: when the API offers it.
    """
    import_module("pyinfra").is_cli = True  # type: ignore[attr-defined]


def use_client(client: type[Any]) -> None:
    """pyinfra's SSH connector makes clients of this class.

    Why: it has no other way to choose one; its own accepts any key when known_hosts cannot be read. In: pyinfra 3.10.
    Can go: when the connector has an attribute for it.
    """
    import_module("pyinfra.connectors.ssh").SSHClient = client  # type: ignore[attr-defined]


def wrap_commands(client: Any, layers: Callable[[Execute], Execute]) -> None:
    """All commands of a connected client go through ``layers``; a second call changes nothing.

    Why: pyinfra decodes strictly, sends commands as the login shell may read them, sets no limit on the host, and
    passes no output on before the end. Clients of pyinfra's own class have no other place for it (inventories without
    a configuration of ours). In: pyinfra 3.10. Can go: when the connector has hooks for command and output.
    """
    if not isinstance(client.exec_command, partial):
        client.exec_command = partial(layers(client.exec_command))


def connect_anew(host: Host) -> None:
    """Connect a host that counts as connected.

    Why: ``Host.connect`` does nothing then, and ``Host.disconnect`` calls the callbacks for the end of a run. In:
    pyinfra 3.10. Can go: when pyinfra can reconnect.
    """
    client = getattr(host.connector, "client", None)
    if client is not None:
        client.close()
    host.connected = False
    host.connect()


def forget_operations(state: State) -> None:
    """Prepare operations again on a state that has executed some.

    Why: pyinfra would take the operations of the round before for this one's. In: pyinfra 3.10. Can go: when a state
    can be prepared twice.
    """
    state.is_executing = False
    state.op_meta.clear()
    for host in state.inventory:
        state.ops[host].clear()
        host.op_hash_order.clear()


@contextmanager
def pool_of(state: State, size: int) -> Iterator[None]:
    """The state works on at most so many hosts at the same time.

    Why: ``connect_all`` takes the pool of the state, whose size is that of all other work. In: pyinfra 3.10. Can go:
    when ``connect_all`` takes a number.
    """
    pool = state.pool
    state.pool = import_module("gevent.pool").Pool(size)
    try:
        yield
    finally:
        state.pool = pool


def stop_at_failures(state: State) -> None:
    """A host that fails ends the run at the end of the operation, without a question.

    Why: under its own command line pyinfra goes on with the other hosts, or asks. In: pyinfra 3.10. Can go: when
    ``--fail-percent`` and the question can be set by a deploy.
    """
    state.config.FAIL_PERCENT = 0
    state.should_raise_failed_hosts = None
