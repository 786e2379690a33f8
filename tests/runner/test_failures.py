"""What a failure says of a host whose connection ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.runner.failures import command_failure
from kamal_pyinfra.ssh.connection import is_disconnected


class Host:
    """As pyinfra's, as far as it is asked."""

    name = "192.0.2.1"

    def __init__(self, *, connected: bool = True, client: Any = None) -> None:
        self.connected = connected
        self.connector = SimpleNamespace(client=client)


def client(*, is_active: bool) -> Any:
    return SimpleNamespace(get_transport=lambda: SimpleNamespace(is_active=lambda: is_active))


ENDED = SimpleNamespace(get_transport=lambda: None)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (Host(client=client(is_active=True)), False),
        (Host(client=client(is_active=False)), True),
        (Host(client=ENDED), True),
        (Host(client=ENDED, connected=False), False),
        (Host(), False),
    ],
    ids=["open", "cut", "closed", "never connected", "not over SSH"],
)
def test_a_connection_that_ended_is_told_from_one_that_never_was(host: Host, expected: bool) -> None:
    assert is_disconnected(host) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("is_active", "said"), [(True, ("no",)), (False, ("no", "The SSH connection ended."))])
def test_a_failure_says_that_the_connection_ended(is_active: bool, said: tuple[str, ...]) -> None:
    host = Host(client=client(is_active=is_active))
    meta = SimpleNamespace(is_complete=lambda: True, did_succeed=lambda: False, stdout_lines=[], stderr_lines=["no"])
    state: Any = SimpleNamespace(
        ops={host: {"op": SimpleNamespace(operation_meta=meta)}},
        get_op_meta=lambda _: SimpleNamespace(names={"Boot | Boot the primary role"}),
    )
    found = command_failure(state, host, "boot", [])  # type: ignore[arg-type]
    assert (found.operation, found.output) == ("Boot | Boot the primary role", said)
