"""``kp build``: the image into the registry and onto hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import builder as commands
from kamal_pyinfra.local import builder as local_builder
from kamal_pyinfra.local.build import build_and_push
from kamal_pyinfra.local.builder import programs_with_ssh, usable_builder
from kamal_pyinfra.local.programs import Output, Programs, shown
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as image_tasks
from kamal_pyinfra.runner.lock import what_is_done_stays
from kamal_pyinfra.runner.progress.callbacks import Progress
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.runner.session import Session, Steps, interruptible
from kamal_pyinfra.shell.image import MIRROR


def pull_order(mirrors: Mapping[str, str]) -> list[list[str]]:
    """First one host behind each registry mirror, which fills it, then all others (Kamal 1.9).

    Args:
        mirrors: the first mirror of each host; empty for none.
    """
    first = {mirror: host for host, mirror in reversed(list(mirrors.items())) if mirror}
    leading = [host for host in mirrors if host in first.values()]
    others = [host for host in mirrors if host not in leading]
    return [group for group in (leading, others) if group]


def build(run: Run, report: Report) -> None:
    """Build and push, as a phase of a run.

    Raises:
        BuildFailed: the message says where, with the last output. ConfigError: a secret is missing.
    """
    report.phase_began("build", [])
    is_built = False
    try:
        build_and_push(run, Programs(report.output, report.warned))
        is_built = True
    finally:
        report.phase_ended("build", succeeded=is_built)


def push(run: Run, report: Report) -> None:
    """Build and push, as a command of its own.

    Raises:
        BuildFailed: the message says where, with the last output. ConfigError: a secret is missing.
        Interrupted: a signal came; what was under way was ended.
    """
    with interruptible():
        build(run, report)


def pull(run: Run, hosts: Collection[str], report: Report) -> None:
    """Fetch the run's version onto hosts, through each registry mirror once before all others (Kamal 1.9).

    Raises:
        ConfigError: a secret is missing. HostFailed: a host could not be reached, or failed.
        Interrupted: a signal came.
    """
    require_secrets(run.config)
    with interruptible(), Session(run, hosts, report) as session:
        if run.is_dry:
            report.planned(task_plan(run, session.observe(), image_tasks.pull))
            return
        session.add_callback(Progress(report))
        session.require_hosts()
        steps = Steps(session, report)
        with what_is_done_stays():
            for group in pull_order(_mirrors(session)):
                steps.phase("pull", phases.pull, hosts=group, is_strict=False)
        if session.failures:
            steps.fail("Nothing was switched; the other hosts have the image.")


def _mirrors(session: Session) -> dict[str, str]:
    if len(session.hosts) < 2:
        return dict.fromkeys(session.hosts, "")
    answers = session.execute(MIRROR)
    return {host: answer[1].stdout.strip() if answer and answer[0] else "" for host, answer in answers.items()}


def create_builder(config: Config, say: Output, *, is_dry: bool = False) -> None:
    """Have the builder on this machine, or only say whether there is anything to do.

    Raises:
        BuildFailed: docker or a plugin is missing, or a build host does not answer.
    """
    programs = Programs(say, say)
    builder = usable_builder(config, programs)
    if not builder.needs_buildx:
        say("The native builder is the engine itself: nothing to create")
        return
    with programs_with_ssh(config, builder, programs) as connected:
        if is_dry:
            is_there = local_builder.is_as_configured(builder, connected)
            say(f"{'Already there:' if is_there else 'This machine would create'} {builder.name}")
            return
        is_new = local_builder.ensure(builder, connected)
    say(f"{'Created' if is_new else 'Already there:'} {builder.name}")


def remove_builder(config: Config, say: Output, *, is_dry: bool = False) -> None:
    """Take the builder on this machine away, or only say whether there is anything to do.

    Raises:
        BuildFailed: docker or a plugin is missing, or docker will not let go.
    """
    programs = Programs(say, say)
    builder = usable_builder(config, programs)
    if not builder.needs_buildx:
        say("The native builder is the engine itself: nothing to remove")
        return
    with programs_with_ssh(config, builder, programs) as connected:
        if is_dry:
            is_there = local_builder.is_there(builder, connected)
            say(f"{'This machine would remove' if is_there else 'Not there:'} {builder.name}")
            return
        was_there = local_builder.remove(builder, connected)
    say(f"{'Removed' if was_there else 'Not there:'} {builder.name}")


def show_builder(config: Config, say: Output) -> None:
    """Say which builder is in use and what docker knows of builders here; never the environment.

    Raises:
        BuildFailed: docker or a plugin is missing, or does not answer.
    """
    programs = Programs(say, say)
    builder = usable_builder(config, programs)
    say(f"Builder: {' '.join(filter(None, (builder.kind, builder.name)))}")
    say(f"Platforms: {', '.join(builder.platforms) or 'that of the engine'}")
    for node in builder.nodes:
        say(f"Context: {node.context} at {node.place}")
    with programs_with_ssh(config, builder, programs) as connected:
        for argv in commands.details(builder):
            answer = connected.ask(argv)
            if not answer.succeeded:
                raise BuildFailed(f"`{shown(argv)}` failed:\n  {answer.error}")
            say(answer.out)
