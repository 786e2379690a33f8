"""``kp rollback`` without a version: a numbered choice on a terminal, a list elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click

from kamal_pyinfra.cli.commands.deploy import run_deploy
from kamal_pyinfra.cli.commands.plan import events_option
from kamal_pyinfra.cli.completion import one, versions
from kamal_pyinfra.cli.options import Options, PlanOptions, changing_options
from kamal_pyinfra.cli.output import age, say
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.insight.status import Retained, retained_versions
from kamal_pyinfra.text import one_line


def choose_version(options: Options) -> str:
    """Look what is left on the hosts and let the user choose.

    Raises:
        ConfigError: nobody can be asked, or there is nothing to roll back to. HostFailed: a host could not be
            reached or looked at.
    """
    run, target = options.run_without_version("rollback")

    from kamal_pyinfra.runner.queries.observe import observe

    found = retained_versions(run, observe(run, target.hosts))
    offered = [each for each in found if each.is_offered]
    if not offered:
        raise ConfigError("There is no version to roll back to.", *listing(found, datetime.now(UTC)))
    if not sys.stdin.isatty():
        raise ConfigError("Which version? `kp rollback VERSION` with one of these:", *listing(found, datetime.now(UTC)))
    say("\n".join(listing(found, datetime.now(UTC), is_numbered=True)))
    number = click.prompt("Roll back to", type=click.IntRange(1, len(offered)), default=1)
    return offered[number - 1].version


def listing(found: Sequence[Retained], now: datetime, *, is_numbered: bool = False) -> list[str]:
    """A line for each version; those that can be chosen are numbered from 1."""
    wide = max((len(each.version) for each in found), default=0)
    number = 0
    lines = []
    for each in found:
        number += each.is_offered
        mark = (f"{number})" if each.is_offered else "  ") if is_numbered else " "
        lines.append(f"{mark:<3} {one_line(each.version):<{wide}}  {age(each.created, now)} ago{_why_not(each)}")
    return lines


def _why_not(each: Retained) -> str:
    if each.is_in_service:
        return ", in service"
    return f", but its image is not on {', '.join(each.missing)}" if each.missing else ""


@click.command()
@click.argument("version_argument", metavar="[VERSION]", required=False, shell_complete=one(versions))
@click.option("--keep-env", is_flag=True, help="Keep secrets as they are on the hosts; none is needed here.")
@click.option("--skip-unreachable", is_flag=True, help="Leave out hosts that cannot be reached, and list them.")
@events_option
@changing_options
def rollback(
    options: Options, version_argument: str | None, keep_env: bool, skip_unreachable: bool, as_json: bool
) -> None:
    """Put VERSION, still on the hosts, back into service; without it, offer those that are there.

    \b
    Example:
      kp rollback             # asks which
      kp rollback 9f2c1ab
    """
    version = version_argument or options.version
    if version is None:
        version = choose_version(options)
    choices = PlanOptions(skip_push=True, keep_env=keep_env, skip_unreachable=skip_unreachable)
    run_deploy(replace(options, version=version), choices, "rollback", as_json=as_json)
