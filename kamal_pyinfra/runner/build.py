"""``kp build``: the image into the registry and onto hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import builder as local_builder
from kamal_pyinfra.local.build import build_and_push
from kamal_pyinfra.local.programs import Output, Programs, shown
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as image_tasks
from kamal_pyinfra.runner.lock import STAYS
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.runner.session import Session, interruptible, when_interrupted
from kamal_pyinfra.shell.image import MIRROR


def pull_order(mirrors: Mapping[str, str]) -> list[list[str]]:
    """Put one host behind each registry mirror first, which fills it, then all others (Kamal 1.9)."""
    first = {mirror: host for host, mirror in reversed(list(mirrors.items())) if mirror}
    leading = [host for host in mirrors if host in first.values()]
    others = [host for host in mirrors if host not in leading]
    return [group for group in (leading, others) if group]


def build(run: Run, report: Report) -> None:
    """Build and push, as a phase of a run."""
    with report.phase_of_this_machine("build"):
        build_and_push(run, Programs(report.output, report.warned))


def push(run: Run, report: Report) -> None:
    """Build and push, as a command of its own."""
    with interruptible():
        build(run, report)


def pull(run: Run, hosts: Collection[str], report: Report) -> None:
    """Fetch the run's version onto hosts, through each registry mirror once before all others (Kamal 1.9)."""
    require_secrets(run.config)
    with interruptible(), Session(run, hosts, report) as session:
        if run.is_dry:
            report.planned(task_plan(run, session.observe(), image_tasks.pull))
            return
        session.require_hosts()
        answers = session.execute(MIRROR) if len(session.hosts) > 1 else {}
        found = {host: answer[1].stdout.strip() for host, answer in answers.items() if answer and answer[0]}
        with when_interrupted(STAYS):
            for group in pull_order({host: found.get(host, "") for host in session.hosts}):
                session.phase("pull", phases.pull, hosts=group, is_strict=False)
        if session.failures:
            session.fail("Nothing was switched; the other hosts have the image.")


def change_builder(config: Config, echo: Output, verb: str, *, is_dry: bool = False) -> None:
    """Create or remove the builder on this machine, or only print whether there is anything to do."""
    programs = Programs(echo, echo)
    builder = local_builder.usable_builder(config, programs)
    if not builder.name:
        echo(f"The native builder is the engine itself: nothing to {verb}")
        return
    with local_builder.programs_with_ssh(config, builder, programs) as connected:
        if verb == "create":
            is_as_configured = is_dry and local_builder.is_as_configured(builder, connected)
            changes = not is_as_configured if is_dry else local_builder.ensure(builder, connected)
        else:
            changes = (local_builder.is_there if is_dry else local_builder.remove)(builder, connected)
    done = f"This machine would {verb}" if is_dry else f"{verb.title()}d"
    unchanged = "Already there:" if verb == "create" else "Not there:"
    echo(f"{done if changes else unchanged} {builder.name}")


def show_builder(config: Config, echo: Output) -> None:
    """Print which builder is in use and what docker knows of builders on this machine; never the environment."""
    programs = Programs(echo, echo)
    builder = local_builder.usable_builder(config, programs)
    echo(f"Builder: {' '.join(filter(None, (builder.kind, builder.name)))}")
    echo(f"Platforms: {', '.join(builder.platforms) or 'that of the engine'}")
    for node in builder.nodes:
        echo(f"Context: {node.context} at {node.host or local_builder.THIS_MACHINE}")
    with local_builder.programs_with_ssh(config, builder, programs) as connected:
        for argv in local_builder.details(builder):
            answer = connected.ask(argv)
            if not answer.succeeded:
                raise BuildFailed(f"`{shown(argv)}` failed:\n  {answer.error}")
            echo(answer.out)
