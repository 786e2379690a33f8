"""The options of commands that plan: plan, deploy, redeploy, setup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli.options import Options

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user said about the plan."""

    skip_push: bool = False
    keep_env: bool = False
    decommission: bool = False
    forget: tuple[str, ...] = ()
    replace_edited: bool = False
    skip_unreachable: bool = False

    def run(self, options: Options, command: str) -> tuple[Run, tuple[str, ...]]:
        """The fixed values of a run and the hosts that take part.

        Raises:
            ConfigError: the configuration, the version or a filter is not usable.
            HostFailed: hosts had to be asked for the ones that left the configuration, and one failed.
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

        from kamal_pyinfra.runner.deploy import with_departed

        return with_departed(run, target.hosts)


COMMON = (
    click.option(
        "-P", "--skip-push", "--skip_push", is_flag=True, help="Do not build; the version is in the registry."
    ),
    click.option("--keep-env", is_flag=True, help="Keep secrets as they are on the hosts; none is needed here."),
    click.option("--skip-unreachable", is_flag=True, help="Leave out hosts that cannot be reached, and say so."),
    click.option("--decommission", is_flag=True, help="Remove the service from hosts that left the configuration."),
    click.option("--replace-edited", is_flag=True, help="Replace containers in which files of the image were changed."),
    click.option(
        "--forget", multiple=True, metavar="HOST", help="Do not mention a host again that left the configuration."
    ),
)


def choices(command: F) -> F:
    """Give a command these options, as one :class:`Choices` value in ``choices``."""

    @wraps(command)
    def with_choices(**values: Any) -> Any:
        fields = {name: values.pop(name) for name in Choices.__dataclass_fields__}
        return command(choices=Choices(**fields), **values)

    decorated: Any = with_choices
    for option in reversed(COMMON):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return] # click decorates anything
