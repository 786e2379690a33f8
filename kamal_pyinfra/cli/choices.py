"""The options of commands that plan: plan, deploy, redeploy, setup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli.confirm import says_yes
from kamal_pyinfra.cli.options import Options
from kamal_pyinfra.cli.say import say
from kamal_pyinfra.errors import ConfigError

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
    is_confirmed: bool = False

    def run(self, options: Options, command: str) -> tuple[Run, tuple[str, ...]]:
        """The fixed values of a run and the hosts that take part.

        Raises:
            ConfigError: the configuration, the version or a filter is not usable, or a host that would be cleaned
                was not confirmed.
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

        from kamal_pyinfra.runner.deploy import find_departed

        departed = find_departed(run, target.hosts)
        require_confirmed(run.config.service, departed, is_confirmed=self.is_confirmed)
        return replace(run, decommissioned=tuple(departed)), (*target.hosts, *departed)


def require_confirmed(service: str, departed: Mapping[str, Sequence[str]], *, is_confirmed: bool) -> None:
    """Ask before hosts are connected to that only other hosts name.

    Raises:
        ConfigError: the answer is not ``y``, or nobody is there to answer.
    """
    if not departed or is_confirmed:
        return
    listed = ", ".join(f"{host} ({', '.join(roles) or 'accessories'})" for host, roles in departed.items())
    say(f"Records on the hosts name: {listed}. They are not in the configuration.", err=True)
    if not says_yes(f"Connect to them and remove {service} from there?", err=True):
        raise ConfigError("not confirmed, so nothing was changed; `--forget HOST` leaves one of them out")


COMMON = (
    click.option(
        "-P", "--skip-push", "--skip_push", is_flag=True, help="Do not build; the version is in the registry."
    ),
    click.option("--keep-env", is_flag=True, help="Keep secrets as they are on the hosts; none is needed here."),
    click.option("--skip-unreachable", is_flag=True, help="Leave out hosts that cannot be reached, and say so."),
    click.option("--decommission", is_flag=True, help="Remove the service from hosts that left the configuration."),
    click.option(
        "-y", "--confirmed", "--yes", "is_confirmed", is_flag=True, help="Do not ask before `--decommission` connects."
    ),
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
