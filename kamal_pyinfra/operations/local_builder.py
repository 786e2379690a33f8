"""The buildx builder on the deploying machine: there, as configured, or gone."""

from __future__ import annotations

import re

from kamal_pyinfra.commands import builder as commands
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations.local_program import Answer, Programs
from kamal_pyinfra.plan.builder import ImageBuilder, Node

MISSING = re.compile(r"not found|no builder|does not exist", re.IGNORECASE)


def require_docker(programs: Programs) -> None:
    """Make sure that the docker command is there.

    Raises:
        BuildFailed: it is not.
    """
    if not programs.ask(commands.HAS_DOCKER).succeeded:
        raise BuildFailed("Docker is not installed on this machine: install it, or build elsewhere and use --skip-push")


def has_buildx(programs: Programs) -> bool:
    """Whether the docker command can build with BuildKit's own builders."""
    return programs.ask(commands.HAS_BUILDX).succeeded


def require_buildx(builder: ImageBuilder, programs: Programs) -> None:
    """Make sure that the docker command has the plugin that a builder needs.

    Raises:
        BuildFailed: it has not.
    """
    if builder.needs_buildx and not has_buildx(programs):
        raise BuildFailed(
            f"The builder {builder.kind} needs Docker's buildx plugin, which is not installed on this machine: "
            "install docker-buildx, or set builder.multiarch: false to build with the engine alone"
        )


def is_as_configured(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether builder and contexts are there and lead to the configured hosts.

    Raises:
        BuildFailed: docker cannot tell.
    """
    hosts = [_answered(programs.ask(commands.inspect_context(node))) for node in builder.nodes]
    is_there = not commands.create(builder) or _answered(programs.ask(commands.inspect(builder))) is not None
    return is_there and hosts == [node.host for node in builder.nodes]


def is_there(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether the builder, or a context of it, is there.

    Raises:
        BuildFailed: docker cannot tell.
    """
    asked = [commands.inspect_context(node) for node in builder.nodes]
    asked += [commands.inspect(builder)] if commands.create(builder) else []
    return any(_answered(programs.ask(argv)) is not None for argv in asked)


def _answered(answer: Answer) -> str | None:
    """What an inspection said; ``None`` if the thing is missing."""
    if answer.succeeded:
        return answer.out
    if MISSING.search(answer.error):
        return None
    raise BuildFailed(f"docker cannot tell what builders there are:\n  {answer.error}")


def ensure(builder: ImageBuilder, programs: Programs) -> bool:
    """Have the builder as configured; one that leads elsewhere is made anew (Kamal 1.9).

    Returns:
        Whether there was anything to do.

    Raises:
        BuildFailed: it cannot be made, or a build host does not answer.
    """
    if is_as_configured(builder, programs):
        return False
    remove(builder, programs)
    for node in builder.nodes:
        argv = commands.create_context(builder, node)
        programs.run(argv, shown=commands.shown(argv), hint=f"{node.place} cannot be made known to docker")
    _reach(builder, programs)
    for argv in commands.create(builder):
        programs.run(argv, shown=commands.shown(argv), hint=f"The builder {builder.name} cannot be made")
    return True


def _reach(builder: ImageBuilder, programs: Programs) -> None:
    for node in builder.nodes:
        answer = programs.ask(commands.reach(node))
        if not answer.succeeded:
            remove(builder, programs)
            raise BuildFailed(f"The build host {node.place} does not answer:\n  {answer.error}\n{_way_out(node)}")


def _way_out(node: Node) -> str:
    address = re.sub(r"^ssh://", "", node.host)
    return f"Try `ssh {address} docker version`." if node.host.startswith("ssh://") else "Is its engine running?"


def remove(builder: ImageBuilder, programs: Programs) -> bool:
    """Take builder and contexts away, those that are there.

    Returns:
        Whether anything was there.

    Raises:
        BuildFailed: docker will not let go of one.
    """
    has_own = bool(commands.create(builder))
    # While the hosts can still be reached, so that BuildKit's containers there go too. A host that is gone must
    # not keep the builder alive: without contexts nobody asks for it.
    first = programs.ask(commands.remove(builder)) if has_own else Answer(succeeded=False, out="", error="not found")
    gone = [_removed(commands.remove_context(node), programs) for node in builder.nodes]
    gone += [_removed(commands.remove(builder), programs)] if has_own and not first.succeeded else []
    return any(gone) or first.succeeded or not MISSING.search(first.error)


def _removed(argv: list[str], programs: Programs) -> bool:
    answer = programs.ask(argv)
    if not answer.succeeded and not MISSING.search(answer.error):
        raise BuildFailed(f"`{commands.shown(argv)}` failed:\n  {answer.error}")
    return answer.succeeded
