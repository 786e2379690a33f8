"""What kp changes in third-party code: only there, still needed, and still fitting what it changes.

A test that fails after an upgrade says which: the patch can go, or the code below it is another one now.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyinfra
import pytest
from paramiko import config as paramiko_config
from paramiko import proxy as paramiko_proxy
from pyinfra.api import connect, operations
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors import ssh as connector
from pyinfra.connectors.sshuserclient import config as pyinfra_config

import kamal_pyinfra
from kamal_pyinfra.ssh import patches

PACKAGE = Path(kamal_pyinfra.__file__).parent
ALLOWED = {
    ("cli/output.py", "sys.stderr"): "the standard library's way to replace it",
    ("deploys/pyinfra_cli/arguments.py", "record.msg"): "what a filter of logging may do",
    ("deploys/pyinfra_cli/arguments.py", "record.args"): "what a filter of logging may do",
    ("runner/failures.py", "engine_logger.propagate"): "a setting of logging",
    ("ssh/connection.py", "logger.propagate"): "a setting of logging",
    ("runner/session.py", "self.state.active_hosts"): "a field of pyinfra's state that callers set",
    ("runner/session.py", "self.state.failed_hosts"): "a field of pyinfra's state that callers set",
    ("runner/session.py", "self.state.config.FAIL_PERCENT"): "a setting of pyinfra",
    ("runner/engine.py", "state.cwd"): "a setting of pyinfra",
}
"""What else of others is set, and why that is no patch."""
OF_OTHERS = {"client", "connector", "engine_logger", "host", "hub", "logger", "process", "record", "state", "transport"}
"""How variables are called that hold what others made."""


def set_of_others(module: ast.Module) -> set[str]:
    """Attributes of other modules, of their classes, and of their objects that are set."""
    imports = [node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom)]
    others = {(each.asname or each.name).partition(".")[0] for node in imports for each in node.names} | OF_OTHERS
    found = set()
    for node in ast.walk(module):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            found |= {ast.unparse(each) for each in parts if isinstance(each, ast.Attribute)}
    return {name for name in found if others.intersection(name.split(".")[:-1])}


def test_nothing_else_of_others_is_changed() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in set_of_others(ast.parse(path.read_text()))
        if path.name != "patches.py"
    }
    assert found == set(ALLOWED)


PATCHED = {
    "Host.connect": (Host.connect, "656aa272b4caa930"),
    "Host.disconnect": (Host.disconnect, "618031eaf8ae2fba"),
    "SSHConnector._connect": (connector.SSHConnector._connect, "762639d6ffc6c5a9"),
    "SSHConnector.run_shell_command": (connector.SSHConnector.run_shell_command, "6e742d04535439d4"),
    "connect_all": (connect.connect_all, "1b583ac2ff6ac44d"),
    "run_ops": (operations.run_ops, "d5a0a7a6a4ebf8fa"),
    "State.fail_hosts": (State.fail_hosts, "ec460c726cb5f1ac"),
    "FakeInvoke.run": (pyinfra_config.FakeInvoke.run, "44fa718fd74f552a"),
    "ProxyCommand.recv": (paramiko_proxy.ProxyCommand.recv, "2d553f89170784b0"),
}
"""What the patches stand on, as it was when they were written: a digest of its source."""


@pytest.mark.parametrize("name", PATCHED)
def test_what_is_patched_is_what_it_was(name: str) -> None:
    """Read the new source against the patch of it, then write the new digest down."""
    code, digest = PATCHED[name]
    assert hashlib.sha256(inspect.getsource(code).encode()).hexdigest()[:16] == digest


def printed(program: str) -> str:
    """What a fresh Python prints, in which nothing is patched yet."""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout.strip()


PLUGINS = """
from importlib import metadata
calls, original = [], metadata.entry_points
metadata.entry_points = lambda **wanted: calls.append(wanted) or original(**wanted)
import pyinfra_cli
print(len(calls) > 1)
"""
MODULES = "import sys, pyinfra_cli, pyinfra.api.config; print(*(name for name in {} if name not in sys.modules))"
NEEDED = {
    "load_early": (PLUGINS, "True"),
    "load_engine": (MODULES.format(set(patches.LATE) - {"invoke"}), ""),
    "_run_match_exec": (
        "import os; os.environ['SHELL'] = '/bin/sh'\n"
        "import pyinfra_cli\n"
        "from pyinfra.connectors.sshuserclient.config import FakeInvoke\nprint(FakeInvoke.run('true').ok)",
        "False",
    ),
    "_let_proxies_wait": (
        "import paramiko.proxy, pyinfra_cli, select; print(paramiko.proxy.select is select.select)",
        "False",
    ),
    "report_no_traceback": (
        "import pyinfra_cli, gevent\nfrom pyinfra.api.exceptions import PyinfraError\n"
        "print(issubclass(PyinfraError, gevent.get_hub().NOT_ERROR))",
        "False",
    ),
    "name_operations_by_place": ("import pyinfra_cli, pyinfra; print(pyinfra.is_cli)", "False"),
    "use_client": (
        "import pyinfra_cli\nfrom pyinfra.connectors.ssh import SSHConnector\n"
        "print([name for name in vars(SSHConnector) if 'client_c' in name])",
        "[]",
    ),
}
"""Programs that show that a patch is still needed, and what they print for as long."""


@pytest.mark.parametrize("patch", NEEDED)
def test_a_patch_is_still_needed(patch: str) -> None:
    program, expected = NEEDED[patch]
    assert printed(program) == expected


def test_each_patch_says_why_where_and_until_when() -> None:
    made = [each for each in vars(patches).values() if inspect.isfunction(each) and each.__module__ == patches.__name__]
    documented = [each for each in made if "Why:" in (each.__doc__ or "")]
    texts = [" ".join((each.__doc__ or "").split()) for each in documented]
    assert all(" In: " in text and " Can go: " in text for text in texts)
    assert {*NEEDED, "wrap_commands", "connect_anew", "forget_operations", "pool_of", "stop_at_failures"} == {
        each.__name__ for each in documented
    }


def test_what_matches_in_the_ssh_configuration_is_run_by_the_users_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    patches._run_match_exec()
    assert paramiko_config.invoke is patches.Invoke
    assert [patches.Invoke.run(command).ok for command in ("true", "exit 3")] == [True, False]


def test_a_client_is_wrapped_once() -> None:
    def layers(execute: Any) -> Any:
        return lambda command: execute(f"layer {command}")

    client = SimpleNamespace(exec_command=lambda command: command)
    for _ in range(2):  # a second call for the same connection changes nothing
        patches.wrap_commands(client, layers)
    assert client.exec_command("docker ps") == "layer docker ps"


def test_a_host_is_connected_anew_and_the_run_goes_on() -> None:
    calls: list[str] = []
    client = SimpleNamespace(close=lambda: calls.append("close"))

    class Connected(SimpleNamespace):
        def connect(self) -> None:
            calls.append(f"connect {self.connected}")

    patches.connect_anew(Connected(connector=SimpleNamespace(client=client), connected=True))  # type: ignore[arg-type]
    assert calls == ["close", "connect False"]


def test_a_pool_lasts_as_long_as_its_block() -> None:
    state: Any = SimpleNamespace(pool="all hosts")
    with patches.pool_of(state, 3):
        assert state.pool.size == 3
    assert state.pool == "all hosts"


def test_a_failure_ends_the_run_without_a_question() -> None:
    state: Any = SimpleNamespace(config=SimpleNamespace(FAIL_PERCENT=100), should_raise_failed_hosts="asks")
    patches.stop_at_failures(state)
    assert (state.config.FAIL_PERCENT, state.should_raise_failed_hosts) == (0, None)


def test_pyinfra_asks_before_it_goes_on_with_failed_hosts() -> None:
    """The field exists: without it `stop_at_failures` would set nothing."""
    assert "should_raise_failed_hosts" in inspect.getsource(State)
    assert pyinfra.__version__.startswith("3.")
