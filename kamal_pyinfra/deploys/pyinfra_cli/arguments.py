"""What was typed after ``pyinfra``, which pyinfra itself keeps back; and the one hook that needs it."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import pyinfra

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.local.hooks import call_pre_connect, has_hook
from kamal_pyinfra.local.new_run import new_run
from kamal_pyinfra.local.signals import first_signal
from kamal_pyinfra.plan.run import UNKNOWN
from kamal_pyinfra.project.version import resolve_version
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.text import is_read_by_runner, without_commands

TRUE = ("true", "True", "1", "yes")


def typed_data(name: str) -> str | None:
    """The text of ``--data NAME=TEXT``; ``None`` if it was not typed."""
    words = iter(sys.argv[1:])
    for word in words:
        text = word.removeprefix("--data=") if word.startswith("--data=") else None
        if word == "--data":
            text = next(words, "")
        if text is not None and text.startswith(f"{name}="):
            return text.removeprefix(f"{name}=").strip("\"'")
    return None


def is_about_to_connect() -> bool:
    """Whether pyinfra's own command line reads its inventory in order to connect."""
    return pyinfra.is_cli and "debug-inventory" not in sys.argv


def show_no_secrets() -> None:
    """Let pyinfra print neither secrets nor commands to a CI runner, and no letter that its output lacks."""
    logging.getLogger("pyinfra").addFilter(_clean)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _clean(record: logging.LogRecord) -> bool:
    text = redacted(record.getMessage())
    record.msg, record.args = (without_commands(text) if is_read_by_runner(os.environ) else text), ()
    return True


def call_before_connecting(config: Config) -> None:
    """Call the hook ``pre-connect`` while pyinfra reads its inventory: later it has connected already.

    Raises:
        HookFailed: it failed. SystemExit: a signal came.
    """
    try:
        version = resolve_version(config, version=typed_data("version"))
    except ConfigError:
        version = UNKNOWN
    words = script_words()
    run = replace(new_run(config, version, command=words[0]), words=words, skips_hooks=typed_data("skip_hooks") in TRUE)
    if not has_hook(run, "pre-connect"):
        return
    from kamal_pyinfra.operations.run_state import current_state, run_state  # noqa: PLC0415 - with much that it imports

    run_state(current_state()).configs.append(config)
    is_verbose = not {"-v", "-vv", "-vvv"}.isdisjoint(sys.argv)
    with first_signal(lambda number: sys.exit(128 + number)):
        call_pre_connect(run, (lambda line: sys.stderr.write(f"    {line}\n")) if is_verbose else str)


def script_words() -> tuple[str, ...]:
    """The command that the script's name stands for: ``("traefik", "reboot")``; ``pyinfra`` without a script."""
    _, *scripts = [Path(word).stem for word in sys.argv if word.endswith(".py")] or [""]
    return tuple(scripts[-1].split("_", 1)) if scripts else ("pyinfra",)
