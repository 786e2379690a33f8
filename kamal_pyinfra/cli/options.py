"""Options that commands share, and the ``Run`` that they describe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import wraps
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli import completion
from kamal_pyinfra.cli.completion import FILE, destinations, one, versions
from kamal_pyinfra.cli.output import echo, is_yes
from kamal_pyinfra.errors import PATIENCE_SECONDS, ConfigError

if TYPE_CHECKING:
    from kamal_pyinfra.config import Config
    from kamal_pyinfra.plan.run import Run

F = TypeVar("F", bound=Callable[..., Any])
FORGET = "Do not mention a host again that left the configuration."
VERSION = "Version to act on; else VERSION, else git's commit."


def option(*names: str, **settings: Any) -> Any:
    """Return a field of a dataclass that is an option of commands; ``settings`` are those of ``click.option``."""
    return field(default=settings.get("default", MISSING), metadata={"names": names, **settings})


def switch(*names: str, help: str) -> Any:
    """Return a field that is an option without a value."""
    return option(*names, is_flag=True, default=False, help=help)


def _filter(short: str, long: str, what: str, names: completion.Names) -> Any:
    def split(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
        parts = re.split(r",(?![^{]*\})", value or "")  # a comma inside braces belongs to the glob
        return tuple(part.strip() for part in parts if part.strip())

    metavar, help = f"{what},…", f"Act on these {what.lower()}s only; globs allowed."
    return option(short, long, metavar=metavar, callback=split, shell_complete=completion.listed(names), help=help)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that commands share, and their values."""

    verbose: bool = switch("-v", "--verbose", help="Show the build, hooks, and operations that change nothing.")
    quiet: bool = switch("-q", "--quiet", help="Show errors only.")
    version: str | None = option("--version", metavar="VERSION", shell_complete=one(versions), help=VERSION)
    primary: bool = switch("-p", "--primary", help="Act on the primary host only.")
    hosts: tuple[str, ...] = _filter("-h", "--hosts", "HOST", completion.hosts)
    roles: tuple[str, ...] = _filter("-r", "--roles", "ROLE", completion.roles)
    config_file: str = option(
        *("-c", "--config-file", "--config_file"),
        default=FILE,
        show_default=True,
        metavar="FILE",
        help="Configuration to use.",
    )
    destination: str | None = option(
        *("-d", "--destination"),
        metavar="NAME",
        shell_complete=one(destinations),
        help="Adds deploy.NAME.yml and .env.NAME.",
    )
    skip_hooks: bool = switch("-H", "--skip-hooks", "--skip_hooks", help="Run no hooks.")
    lock_wait: int | None = option(
        "--lock-wait",
        type=click.IntRange(min=0),
        is_flag=False,
        flag_value=PATIENCE_SECONDS,
        default=None,
        metavar="[=SECONDS]",
        help=f"Wait for a held lock ({PATIENCE_SECONDS} seconds if none are given), and take over a stale one.",
    )
    dry_run: bool = switch("--dry-run", help="Show what would change, and change nothing.")

    def config(self) -> Config:
        """Read the configuration; raise ConfigError with every problem in it."""
        from kamal_pyinfra.config import load_config

        return load_config(self.config_file, destination=self.destination)

    def run(self, command: str, *, version: str | None = None, **fields: Any) -> Run:
        """Return the run, with the hosts that take part; ``fields`` are others of ``Run``.

        Raises ConfigError if the configuration, the version or a filter is not usable.
        """
        from kamal_pyinfra.local.new_run import new_run
        from kamal_pyinfra.plan.run import select
        from kamal_pyinfra.project.version import resolve_version

        config = self.config()
        target = select(config, hosts=self.hosts, roles=self.roles, primary=self.primary, command=command)
        typed = {"words": typed_words(), "skips_hooks": self.skip_hooks, "lock_wait": self.lock_wait}
        fields |= typed | {"is_dry": self.dry_run, "hosts": target.hosts, "roles": target.roles}
        return new_run(config, resolve_version(config, version=version or self.version), command=command, **fields)

    def run_without_version(self, command: str) -> Run:
        """Return the same for a command that needs no version: without git or VERSION it is ``unknown``."""
        try:
            return self.run(command)
        except ConfigError:
            if self.version is not None:
                raise
            return self.run_of_any_version(command)  # an error that is not about the version comes again

    def run_of_any_version(self, command: str) -> Run:
        """Return the same for a command to which only ``--version`` matters: git is not asked."""
        return self.run(command, version=self.version or "unknown")


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


def options_of(kind: type[Any], argument: str, *only: str) -> Callable[[F], F]:
    """Return what adds the options in the fields of ``kind`` to a command, which gets one of it as ``argument``.

    ``only`` are the names of the fields, if not all are meant.
    """
    chosen = [each for each in fields(kind) if not only or each.name in only]

    def add(command: F) -> F:
        @wraps(command)
        def collecting(**values: Any) -> Any:
            given = kind(**{each.name: values.pop(each.name) for each in chosen})
            return command(**{argument: given}, **values)

        result: Any = collecting
        for each in reversed(chosen):
            settings = dict(each.metadata)
            result = click.option(*settings.pop("names"), each.name, **settings)(result)
        return result  # type: ignore[no-any-return] # click decorates anything

    return add


changing_options = options_of(Options, "options")  # of commands that change hosts
common_options = options_of(Options, "options", *(set(Options.__dataclass_fields__) - {"dry_run"}))  # of all others


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Options about the plan, and their values."""

    skip_push: bool = switch(
        *("-P", "--skip-push", "--skip_push"), help="Do not build; the version is in the registry already."
    )
    keep_env: bool = switch("--keep-env", help="Keep secrets as they are on the hosts; none is needed on this machine.")
    skip_unreachable: bool = switch("--skip-unreachable", help="Leave out hosts that cannot be reached, and list them.")
    decommission: bool = switch("--decommission", help="Remove the service from hosts that left the configuration.")
    is_confirmed: bool = switch(*("-y", "--confirmed", "--yes"), help="Do not ask before `--decommission` connects.")
    replace_edited: bool = switch(
        "--replace-edited", help="Replace containers in which files of the image were changed."
    )
    forget: tuple[str, ...] = option("--forget", multiple=True, default=(), metavar="HOST", help=FORGET)

    def run(self, options: Options, command: str) -> tuple[Run, tuple[str, ...]]:
        """Return the run and the hosts that take part.

        Raises ConfigError if something is not usable or a host to decommission was not confirmed, and HostFailed if one
        failed when the hosts were asked for those that left the configuration.
        """
        run = options.run(
            command,
            is_build_allowed=not self.skip_push,
            keeps_env=self.keep_env,
            forgotten=self.forget,
            replaces_edited=self.replace_edited,
            skips_unreachable=self.skip_unreachable,
        )
        if not self.decommission:
            return run, run.hosts

        from kamal_pyinfra.runner.deploy import find_departed

        departed = find_departed(run, run.hosts)
        require_confirmed(run.config.service, departed, is_confirmed=self.is_confirmed)
        return replace(run, decommissioned=tuple(departed)), (*run.hosts, *departed)


def require_confirmed(service: str, departed: Mapping[str, Sequence[str]], *, is_confirmed: bool) -> None:
    """Ask before connecting to hosts that only records of other hosts name; raise ConfigError unless confirmed."""
    if not departed or is_confirmed:
        return
    listed = ", ".join(f"{host} ({', '.join(roles) or 'accessories'})" for host, roles in departed.items())
    echo(f"Records on the hosts name: {listed}. They are not in the configuration.", err=True)
    if not is_yes(f"Connect to them and remove {service} from there?", err=True):
        raise ConfigError("not confirmed, so nothing was changed; `--forget HOST` leaves one of them out")
