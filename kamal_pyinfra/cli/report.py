"""The view of a run: a live line per host on a terminal, timestamped lines elsewhere, or JSON objects."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kamal_pyinfra import naming
from kamal_pyinfra.cli.options import Options, typed_words
from kamal_pyinfra.cli.output import paint, say_json
from kamal_pyinfra.errors import HostFailed, Interrupted, KpError
from kamal_pyinfra.runner.progress.report import Emitter

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.progress.events import AnyEvent, View


@contextmanager
def report_for(options: Options, run: Run | None = None, *, as_json: bool = False) -> Iterator[Emitter]:
    """The emitter with the view that suits the output; ``as_json`` prints events whatever it is.

    The times of a ``run`` that puts a version into service are kept for ``kp timeline``.
    """
    if options.dry_run:
        yield Emitter([_print_json] if as_json else [], None if as_json else _plan_printer(options))
        return
    view = _view(options, os.environ, as_json=as_json)
    show_plan = None if options.quiet or as_json else _plan_printer(options)
    emitter = Emitter([*([view] if view else []), *_recorders(run)], show_plan)
    _start(emitter, run)
    try:
        yield emitter
    except BaseException as error:
        emitter.ended("interrupted" if _is_interruption(error) else "failed", str(error))
        if isinstance(error, HostFailed) and _is_framed(view):
            raise HostFailed(error.brief, error.hosts) from None
        raise
    finally:
        emitter.ended("done")


def plain_report(options: Options, *, verbose: bool) -> Emitter:
    """Lines alone, for work on the deploying machine."""
    from kamal_pyinfra.cli.views.plain import PlainView

    return Emitter([] if options.quiet else [PlainView(verbose=verbose)], _plan_printer(options))


def _start(emitter: Emitter, run: Run | None) -> None:
    command = " ".join(typed_words())
    if run is None:
        emitter.started(command)
        return
    from kamal_pyinfra.insight.address import addresses

    emitter.started(command, service=naming.service_name(run.config), version=run.version, urls=addresses(run.config))


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


def _recorders(run: Run | None) -> list[View]:
    if run is None:
        return []
    from kamal_pyinfra.cli.last_deploy import LastDeploy

    return [LastDeploy(run.config.root)]


def _plan_printer(options: Options) -> Callable[[Plan], None]:
    def show(plan: Plan) -> None:
        from kamal_pyinfra.plan.output.text import render_text

        paint(render_text(plan, is_whole=options.verbose))

    return show


def _print_json(event: AnyEvent) -> None:
    say_json(event.model_dump_json())


def _is_framed(view: View | None) -> bool:
    return hasattr(view, "live")


def _is_interruption(error: BaseException) -> bool:
    return isinstance(error, Interrupted) or not isinstance(error, KpError)
