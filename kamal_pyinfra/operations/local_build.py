"""Building and pushing the image with this machine's Docker engine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from kamal_pyinfra.commands import builder as commands
from kamal_pyinfra.config.git import git
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations.local_hook import call_hook
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.text import sanitized

Say = Callable[[str], None]

LAST_LINES = 40


def build_and_push(run: Run, say: Say) -> None:
    """Build the run's version and push it.

    Args:
        run: the run's fixed values.
        say: called with each line that Docker prints.

    Raises:
        BuildFailed: Docker is missing, or a step failed; its last output was reported.
        HookFailed: the hook ``pre-build`` failed.
    """
    config = run.config
    if config.builder.remote is not None:
        raise BuildFailed("builder.remote is not supported yet: build there yourself and use --skip-push")
    _require_docker()
    call_hook(run, "pre-build", say)
    username, password = config.registry_credentials()
    login = commands.log_in(config.registry.server, username)
    _execute(login, say, secret=password.get_secret_value())
    with _source(run) as folder:
        if not (folder / config.builder.dockerfile).exists():
            raise BuildFailed(f"{config.builder.dockerfile} not found in {config.root}: nothing to build")
        for command in _steps(run):
            _execute(command, say, folder=folder, extra=commands.build_environment(config))


def _steps(run: Run) -> list[list[str]]:
    if _succeeds(["docker", "buildx", "version"]):
        return [commands.build_with_buildx(run.config, run.version)]
    return [commands.build(run.config, run.version), *commands.push(run.config, run.version)]


def _require_docker() -> None:
    if shutil.which("docker") is None:
        raise BuildFailed("Docker is not installed on this machine: install it, or build elsewhere and use --skip-push")


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


@contextlib.contextmanager
def _source(run: Run) -> Iterator[Path]:
    """The folder to build: a clean clone of the commit, or the working tree if a context is configured."""
    root = run.config.root
    top = git(root, "rev-parse", "--show-toplevel")
    if run.config.builder.context is not None or top is None:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="kp-build-") as folder:
        clone = ["git", "clone", "--quiet", "--recurse-submodules", top, folder]
        if not _succeeds(clone):
            raise BuildFailed(f"{top} could not be cloned for a clean build; set builder.context to build it as it is")
        yield Path(folder) / root.resolve().relative_to(Path(top).resolve())


def _execute(
    command: Sequence[str],
    say: Say,
    *,
    folder: Path | None = None,
    secret: str | None = None,
    extra: dict[str, str] | None = None,
) -> None:
    process = subprocess.Popen(  # noqa: S603 - an argument list of our own, no shell
        command,
        stdin=subprocess.PIPE if secret is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, **(extra or {})},
        text=True,
        errors="replace",
    )
    if secret is not None and process.stdin is not None:
        process.stdin.write(secret)
        process.stdin.close()
    last = _pass_on(process.stdout or (), say)
    if process.wait() != 0:
        raise BuildFailed(f"`{' '.join(command[:3])}` failed with exit code {process.returncode}\n{last}")


def _pass_on(output: Iterable[str], say: Say) -> str:
    """Say every line as it comes; the last ones come back, for an error message."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    for line in output:
        last.append(sanitized(line.rstrip()))
        say(last[-1])
    return "\n".join(f"  {line}" for line in last)
