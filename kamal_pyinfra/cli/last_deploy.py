"""``.kamal/last-deploy.json`` on the deploying machine: written at the end of each deploy, read by ``kp timeline``."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kamal_pyinfra.cli.output import say
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.write import write_private
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.runner.progress.events import AnyEvent, Output, RunEnded, RunStarted

if TYPE_CHECKING:
    from kamal_pyinfra.runner.progress.timeline import Recorder, Timeline

FOLDER = ".kamal"
FILE = "last-deploy.json"
IGNORED = f".gitignore\n{FILE}\n"


class LastDeploy:
    """Record the times of a run of the project in ``root``.

    The recorder is loaded after the snapshots, so that it does not delay them.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.early: list[AnyEvent] = []

    @cached_property
    def recorder(self) -> Recorder:
        """The recorder that makes a timeline of events."""
        from kamal_pyinfra.runner.progress.timeline import Recorder

        return Recorder()

    def __call__(self, event: AnyEvent) -> None:
        """Record an event; write the file with the last one."""
        self.early.append(event)
        if isinstance(event, (RunStarted, Output)):
            return
        for each in self.early:
            self.recorder.note(each)
        self.early.clear()
        found = self.recorder.timeline(event) if isinstance(event, RunEnded) else None
        if found is None:
            return
        try:
            self._write(found)
        except (ConfigError, OSError) as error:  # the deploy is over and must not fail because of its record
            say(f"The times of this run were not kept: {error}", err=True)

    def _write(self, found: Timeline) -> None:
        self.folder.mkdir(exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():  # a new file in the working tree would make the next version an uncommitted one
            ignore.write_text(IGNORED, encoding="utf-8")
        write_private(self.folder / FILE, redacted(found.model_dump_json(indent=2)) + "\n")


def read_last_deploy(root: Path) -> Timeline:
    """The times of the last deploy; raise ConfigError if there was none, or they cannot be read."""
    from kamal_pyinfra.runner.progress.timeline import FORMAT_VERSION, Timeline

    path = root / FOLDER / FILE
    try:
        found = Timeline.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: `kp deploy` writes it on the deploying machine") from None
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if found.format_version != FORMAT_VERSION:
        raise ConfigError(f"{path} is of another version of kp; deploy once with this one")
    return found
