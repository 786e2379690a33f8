"""The view of a run: a live line per host on a terminal, timestamped lines elsewhere, or JSON objects.

Its times are kept in ``.kamal/last-deploy.json`` on the deploying machine, for ``kp timeline``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kamal_pyinfra import naming
from kamal_pyinfra.cli.options import Options, typed_words
from kamal_pyinfra.cli.output import echo, echo_json, paint_plan
from kamal_pyinfra.errors import ConfigError, HostFailed, Interrupted, KpError
from kamal_pyinfra.project.write import write
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.runner.progress.events import AnyEvent, Output, RunEnded
from kamal_pyinfra.runner.progress.report import Report

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.progress.events import View
    from kamal_pyinfra.runner.progress.timeline import Timeline

FOLDER = ".kamal"
FILE = "last-deploy.json"


@contextmanager
def report_for(options: Options, run: Run | None = None, *, as_json: bool = False) -> Iterator[Report]:
    """Yield the report with the view that suits the output; ``as_json`` prints events whatever it is.

    The times of a ``run`` that puts a version into service are kept for ``kp timeline``.
    """
    show_plan = partial(paint_plan, is_whole=options.verbose)
    if options.dry_run:
        yield Report([_print_json] if as_json else [], None if as_json else show_plan)
        return
    view = _print_json if as_json else _view(options)
    views: list[View] = [*([view] if view else []), *([LastDeploy(run.config.source.root)] if run else [])]
    report = Report(views, None if options.quiet or as_json else show_plan)
    about: dict[str, Any] = {}
    if run is not None:
        from kamal_pyinfra.insight.routed import addresses

        about = {"service": naming.service_name(run.config), "version": run.version, "urls": addresses(run.config)}
    report.started(" ".join(typed_words()), **about)
    try:
        yield report
    except BaseException as error:
        is_failure = isinstance(error, KpError) and not isinstance(error, Interrupted)
        report.ended("failed" if is_failure else "interrupted", str(error))
        if isinstance(error, HostFailed) and hasattr(view, "live"):  # it framed the output of the host
            raise HostFailed(error.brief, error.hosts) from None
        raise
    finally:
        report.ended("done")


def _view(options: Options) -> View | None:
    from kamal_pyinfra.cli.views.plain import GitHubView, PlainView

    if options.quiet:
        return None
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return GitHubView(PlainView(verbose=options.verbose))
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView(verbose=options.verbose)
    from rich.console import Console

    from kamal_pyinfra.cli.views.live import LiveView

    return LiveView(Console(highlight=False), verbose=options.verbose)


def _print_json(event: AnyEvent) -> None:
    echo_json(event.model_dump_json())


class LastDeploy:
    """Record the times of a run of the project in ``root``."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.events: list[AnyEvent] = []

    def __call__(self, event: AnyEvent) -> None:
        """Record an event; write the file with the last one."""
        if not isinstance(event, Output):
            self.events.append(event)
        if not isinstance(event, RunEnded):
            return
        from kamal_pyinfra.runner.progress.timeline import Recorder

        recorder = Recorder()
        for each in self.events:
            recorder.note(each)
        found = recorder.timeline(event)
        if found is None:
            return
        try:
            self.folder.mkdir(exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():  # a new file in the working tree would make the next version an uncommitted one
                ignore.write_text(f".gitignore\n{FILE}\n", encoding="utf-8")
            text = redacted(found.model_dump_json(indent=2)) + "\n"
            write(self.folder / FILE, text, mode=0o600, replaces_link=True)
        except (ConfigError, OSError) as error:  # the deploy is over and must not fail because of its record
            echo(f"The times of this run were not kept: {error}", err=True)


def read_last_deploy(root: Path) -> Timeline:
    """Return the times of the last deploy; raise ConfigError if there was none, or they cannot be read."""
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
