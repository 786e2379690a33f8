"""The view of a run: a live line per host on a terminal, timestamped lines elsewhere, or JSON objects.

Its times are kept in ``.kamal/last-deploy.json`` on the deploying machine, for ``kp timeline``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kamal_pyinfra import naming
from kamal_pyinfra.cli.options import Options, typed_words
from kamal_pyinfra.cli.output import echo, echo_json, paint
from kamal_pyinfra.errors import ConfigError, HostFailed, Interrupted, KpError
from kamal_pyinfra.project.write import write
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.runner.progress.events import AnyEvent, Output, RunEnded
from kamal_pyinfra.runner.progress.report import Report

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.progress.events import View
    from kamal_pyinfra.runner.progress.timeline import Timeline


@contextmanager
def report_for(options: Options, run: Run | None = None, *, as_json: bool = False) -> Iterator[Report]:
    """Yield the report with the view that suits the output; ``as_json`` prints events whatever it is.

    The times of a ``run`` that puts a version into service are kept for ``kp timeline``.
    """

    def show_plan(plan: Plan) -> None:
        from kamal_pyinfra.plan.output.text import render_text

        paint(render_text(plan, is_whole=options.verbose))

    if options.dry_run:
        yield Report([_print_json] if as_json else [], None if as_json else show_plan)
        return
    view = _view(options, os.environ, as_json=as_json)
    views: list[View] = [*([view] if view else []), *([LastDeploy(run.config.source.root)] if run else [])]
    report = Report(views, None if options.quiet or as_json else show_plan)
    _start(report, run)
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


def plain_report(options: Options, *, verbose: bool) -> Report:
    """Return a report to lines alone, for work on the deploying machine."""
    from kamal_pyinfra.cli.views.plain import PlainView

    return Report([] if options.quiet else [PlainView(verbose=verbose)])


def _start(report: Report, run: Run | None) -> None:
    command = " ".join(typed_words())
    if run is None:
        report.started(command)
        return
    from kamal_pyinfra.insight.routed import addresses

    report.started(command, service=naming.service_name(run.config), version=run.version, urls=addresses(run.config))


def _view(options: Options, environ: Mapping[str, str], *, as_json: bool) -> View | None:
    from kamal_pyinfra.cli.views.plain import GitHubView, PlainView

    if as_json:
        return _print_json
    if options.quiet:
        return None
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHubView(PlainView(verbose=options.verbose))
    if not sys.stdout.isatty() or environ.get("TERM") == "dumb":
        return PlainView(verbose=options.verbose)
    from rich.console import Console

    from kamal_pyinfra.cli.views.live import LiveView

    return LiveView(Console(highlight=False), verbose=options.verbose)


def _print_json(event: AnyEvent) -> None:
    echo_json(event.model_dump_json())


FOLDER = ".kamal"
FILE = "last-deploy.json"


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
        try:
            if found is not None:
                self._write(found)
        except (ConfigError, OSError) as error:  # the deploy is over and must not fail because of its record
            echo(f"The times of this run were not kept: {error}", err=True)

    def _write(self, found: Timeline) -> None:
        self.folder.mkdir(exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():  # a new file in the working tree would make the next version an uncommitted one
            ignore.write_text(f".gitignore\n{FILE}\n", encoding="utf-8")
        text = redacted(found.model_dump_json(indent=2)) + "\n"
        write(self.folder / FILE, text, mode=0o600, replaces_link=True)


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
