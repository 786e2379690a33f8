"""`kp`, with everything counted that crosses a connection: ``python -m bench.counted OUTPUT kp-arguments…``."""

from __future__ import annotations

import atexit
import gc
import json
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

COMMANDS: Counter[str] = Counter()
BYTES: Counter[str] = Counter()


def count_commands() -> None:
    """Count the commands that a host is sent, and what it answers."""
    # kp's own way first: it loads the engine without what kp does not need of it.
    import kamal_pyinfra.runner.engine  # noqa: F401, PLC0415 # isort: skip
    from pyinfra.connectors.ssh import SSHConnector  # noqa: PLC0415

    run = SSHConnector.run_shell_command

    def counted(self: Any, command: Any, *arguments: Any, **keywords: Any) -> Any:
        succeeded, output = run(self, command, *arguments, **keywords)
        COMMANDS[self.host.name] += 1
        BYTES[self.host.name] += len(str(command)) + sum(len(str(line)) + 1 for line in output)
        return succeeded, output

    SSHConnector.run_shell_command = counted  # type: ignore[method-assign]


def write(path: Path) -> None:
    """What was counted, and what the process used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    path.write_text(
        json.dumps(
            {
                "commands": dict(COMMANDS),
                "bytes": dict(BYTES),
                "cpu": used.ru_utime + used.ru_stime,
                "memory": used.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    output = Path(sys.argv[1])
    sys.argv, __package__ = ["kp", *sys.argv[2:]], ""  # by both click knows under which name it was called
    gc.disable()  # as `kp` does before it loads anything
    from kamal_pyinfra.cli import main as kp

    load = kp.load_early

    def load_and_count(arguments: list[str]) -> None:
        """In the order in which `kp` loads: the engine first, then what is counted here."""
        load(arguments)
        if arguments and "--help" not in arguments:  # with neither it is a TAB
            count_commands()

    kp.load_early = load_and_count
    atexit.register(write, output)
    kp.main()
