"""Options that commands share, and the ``Run`` that they describe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli.completion import Names, destinations, hosts, listed, one, roles, versions
from kamal_pyinfra.cli.output import echo, is_yes
from kamal_pyinfra.errors import PATIENCE_SECONDS, ConfigError

if TYPE_CHECKING:
    from kamal_pyinfra.config import Config
    from kamal_pyinfra.plan.output.file import RunDocument
    from kamal_pyinfra.plan.run import Run, Target

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Options:
    """Values of the options that commands share."""

    config_file: str
    destination: str | None
    version: str | None
    hosts: tuple[str, ...]
    roles: tuple[str, ...]
    primary: bool
    verbose: bool
    quiet: bool
    skip_hooks: bool
    lock_wait: int | None = None
    dry_run: bool = False

    def config(self) -> Config:
        """Read the configuration; raise ConfigError with every problem in it."""
        from kamal_pyinfra.config import load_config

        return load_config(self.config_file, destination=self.destination)

    def run(self, command: str, *, version: str | None = None, **fields: Any) -> tuple[Run, Target]:
        """Return the run and the hosts that take part; ``fields`` are those of ``new_run``.

        Raises ConfigError if the configuration, the version or a filter is not usable.
        """
        from kamal_pyinfra.local.new_run import new_run
        from kamal_pyinfra.plan.run import select
        from kamal_pyinfra.project.version import resolve_version

        config = self.config()
        target = select(config, hosts=self.hosts, roles=self.roles, primary=self.primary, command=command)
        resolved = resolve_version(config, version=version or self.version)
        run = new_run(config, resolved, command=command, roles=target.roles, **fields)
        run = replace(run, hosts=target.hosts, words=typed_words(), skips_hooks=self.skip_hooks)
        return replace(run, lock_wait=self.lock_wait, is_dry=self.dry_run), target

    def run_without_version(self, command: str) -> tuple[Run, Target]:
        """Return the same for a command that needs no version: without git or VERSION it is ``unknown``."""
        from kamal_pyinfra.plan.run import UNKNOWN

        try:
            return self.run(command)
        except ConfigError:
            if self.version is not None:
                raise
            return self.run(command, version=UNKNOWN)  # an error that is not about the version comes again

    def run_of_any_version(self, command: str) -> tuple[Run, Target]:
        """Return the same for a command to which only ``--version`` matters: git is not asked."""
        return self.run(command, version=self.version or "unknown")

    def planned_run(self, planned: RunDocument) -> Run:
        """Return the run of a plan; raise ConfigError if the configuration is unusable, or another destination's."""
        from kamal_pyinfra.local.new_run import new_run

        if self.destination not in (None, planned.destination):
            raise ConfigError(f"the plan is for destination {planned.destination}, not {self.destination}")
        config = replace(self, destination=planned.destination).config()
        run = new_run(config, planned.version, command=planned.command, roles=planned.roles)
        return replace(
            run,
            run_id=planned.run_id,
            is_build_allowed=planned.is_build_allowed,
            keeps_env=planned.keeps_env,
            decommissioned=planned.decommissioned,
            forgotten=planned.forgotten,
            replaces_edited=planned.replaces_edited,
            lock_wait=self.lock_wait,
            is_dry=self.dry_run,
        )


def typed_words() -> tuple[str, ...]:
    """Return the names of the command without the program's: ``("app", "version")``."""
    context = click.get_current_context(silent=True)
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return tuple(words)


def with_example(text: str, *lines: str) -> str:
    """Add examples to the help text of a command."""
    return "\n".join([cleandoc(text), "", "\b", "Example:", *(f"  {line}" for line in lines)])


def example(*lines: str) -> Callable[[F], F]:
    """Add examples to a command's docstring, which is its help text."""

    def add(command: F) -> F:
        command.__doc__ = with_example(command.__doc__ or "", *lines)
        return command

    return add


def flag(*names: str, help: str) -> Callable[[F], F]:
    """Return an option without a value."""
    return click.option(*names, is_flag=True, help=help)


def _csv(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    parts = re.split(r",(?![^{]*\})", value) if value else []  # a comma inside braces belongs to the glob
    return tuple(part.strip() for part in parts if part.strip())


def _filter(short: str, long: str, what: str, names: Names) -> Callable[[F], F]:
    return click.option(
        short,
        long,
        metavar=f"{what},…",
        callback=_csv,
        shell_complete=listed(names),
        help=f"Act on these {what.lower()}s only; globs allowed.",
    )


COMMON = (
    flag("-v", "--verbose", help="Show the build, hooks, and operations that change nothing."),
    flag("-q", "--quiet", help="Show errors only."),
    click.option(
        "--version",
        metavar="VERSION",
        shell_complete=one(versions),
        help="Version to act on; else VERSION, else git's commit.",
    ),
    flag("-p", "--primary", help="Act on the primary host only."),
    _filter("-h", "--hosts", "HOST", hosts),
    _filter("-r", "--roles", "ROLE", roles),
    click.option(
        *("-c", "--config-file", "--config_file"),
        default="config/deploy.yml",
        show_default=True,
        metavar="FILE",
        help="Configuration to use.",
    ),
    click.option(
        *("-d", "--destination"),
        metavar="NAME",
        shell_complete=one(destinations),
        help="Adds deploy.NAME.yml and .env.NAME.",
    ),
    flag("-H", "--skip-hooks", "--skip_hooks", help="Run no hooks."),
    click.option(
        "--lock-wait",
        type=click.IntRange(min=0),
        is_flag=False,
        flag_value=PATIENCE_SECONDS,
        metavar="[=SECONDS]",
        help=f"Wait for a held lock ({PATIENCE_SECONDS} seconds if none are given), and take over a stale one.",
    ),
)
DRY_RUN = flag("--dry-run", help="Show what would change, and change nothing.")


def collected(command: F, options: Sequence[Callable[[F], F]], kind: type[Any], argument: str) -> F:
    """Add options to a command, which gets their values as one of ``kind`` in ``argument``."""

    @wraps(command)
    def collecting(**values: Any) -> Any:
        fields = {name: values.pop(name) for name in kind.__dataclass_fields__ if name in values}
        return command(**{argument: kind(**fields)}, **values)

    result: Any = collecting
    for option in reversed(options):
        result = option(result)
    return result  # type: ignore[no-any-return] # click decorates anything


def common_options(command: F) -> F:
    """Add the common options, as one :class:`Options` in ``options``."""
    return collected(command, COMMON, Options, "options")


def changing_options(command: F) -> F:
    """Add the common options and ``--dry-run`` to a command that changes hosts."""
    return common_options(DRY_RUN(command))


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Values of the options about the plan."""

    skip_push: bool = False
    keep_env: bool = False
    decommission: bool = False
    forget: tuple[str, ...] = ()
    replace_edited: bool = False
    skip_unreachable: bool = False
    is_confirmed: bool = False

    def run(self, options: Options, command: str) -> tuple[Run, tuple[str, ...]]:
        """Return the run and the hosts that take part.

        Raises ConfigError if something is not usable or a host to decommission was not confirmed, and HostFailed if one
        failed when the hosts were asked for those that left the configuration.
        """
        run, target = options.run(
            command,
            is_build_allowed=not self.skip_push,
            keeps_env=self.keep_env,
            forgotten=self.forget,
            replaces_edited=self.replace_edited,
            skips_unreachable=self.skip_unreachable,
        )
        if not self.decommission:
            return run, target.hosts

        from kamal_pyinfra.runner.deploy import find_departed

        departed = find_departed(run, target.hosts)
        require_confirmed(run.config.service, departed, is_confirmed=self.is_confirmed)
        return replace(run, decommissioned=tuple(departed)), (*target.hosts, *departed)


def require_confirmed(service: str, departed: Mapping[str, Sequence[str]], *, is_confirmed: bool) -> None:
    """Ask before connecting to hosts that only records of other hosts name; raise ConfigError unless confirmed."""
    if not departed or is_confirmed:
        return
    listed = ", ".join(f"{host} ({', '.join(roles) or 'accessories'})" for host, roles in departed.items())
    echo(f"Records on the hosts name: {listed}. They are not in the configuration.", err=True)
    if not is_yes(f"Connect to them and remove {service} from there?", err=True):
        raise ConfigError("not confirmed, so nothing was changed; `--forget HOST` leaves one of them out")


KEEP_ENV = flag("--keep-env", help="Keep secrets as they are on the hosts; none is needed on this machine.")
SKIP_UNREACHABLE = flag("--skip-unreachable", help="Leave out hosts that cannot be reached, and list them.")
PLANNING = (
    flag("-P", "--skip-push", "--skip_push", help="Do not build; the version is in the registry already."),
    KEEP_ENV,
    SKIP_UNREACHABLE,
    flag("--decommission", help="Remove the service from hosts that left the configuration."),
    flag("-y", "--confirmed", "--yes", "is_confirmed", help="Do not ask before `--decommission` connects."),
    flag("--replace-edited", help="Replace containers in which files of the image were changed."),
    click.option(
        "--forget", multiple=True, metavar="HOST", help="Do not mention a host again that left the configuration."
    ),
)


def plan_options(command: F) -> F:
    """Add the options about the plan, as one :class:`PlanOptions` in ``choices``."""
    return collected(command, PLANNING, PlanOptions, "choices")
