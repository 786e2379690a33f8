"""``kp``: the command tree, and the one place where errors become text and exit codes."""

from __future__ import annotations

import gc
import re
import sys

import click

from kamal_pyinfra import __version__
from kamal_pyinfra.cli.accessory import accessory
from kamal_pyinfra.cli.app import all_logs, app
from kamal_pyinfra.cli.app_exec import shell, shorthand
from kamal_pyinfra.cli.audit import audit
from kamal_pyinfra.cli.build import build
from kamal_pyinfra.cli.completion import completion
from kamal_pyinfra.cli.config import config
from kamal_pyinfra.cli.deploy import deploy, redeploy, rollback, setup
from kamal_pyinfra.cli.details import details
from kamal_pyinfra.cli.docs import docs
from kamal_pyinfra.cli.doctor import doctor
from kamal_pyinfra.cli.env import env
from kamal_pyinfra.cli.envify import envify
from kamal_pyinfra.cli.error_pages import more
from kamal_pyinfra.cli.history import history
from kamal_pyinfra.cli.init import init
from kamal_pyinfra.cli.lock import lock
from kamal_pyinfra.cli.open import open_app
from kamal_pyinfra.cli.plan import apply, plan
from kamal_pyinfra.cli.prune import prune
from kamal_pyinfra.cli.registry import registry
from kamal_pyinfra.cli.remove import remove
from kamal_pyinfra.cli.say import say, say_json
from kamal_pyinfra.cli.server import server
from kamal_pyinfra.cli.status import status
from kamal_pyinfra.cli.timeline import timeline
from kamal_pyinfra.cli.traefik import traefik
from kamal_pyinfra.errors import ConfigError, Interrupted, KpError


@click.group(context_settings={"help_option_names": ["--help"], "max_content_width": 100})
def kp() -> None:
    """Deploy containers to your own servers: see the plan, then make it so.

    \b
    Example:
      kp plan      what would change, and why
      kp deploy    make it so; the old version serves until the new one is healthy
    """


@kp.command()
@click.option("--json", "as_json", is_flag=True, help="With the versions of pyinfra and Python, as JSON.")
def version(as_json: bool) -> None:
    """Print the version of kp.

    \b
    Example:
      kp version
      kp version --json
    """
    if not as_json:
        say(__version__)
        return
    import json
    from importlib.metadata import version as version_of
    from platform import python_version

    found = {"kp": __version__, "pyinfra": version_of("pyinfra"), "python": python_version()}
    say_json(json.dumps(found, indent=2))


for command in (
    setup,
    deploy,
    redeploy,
    rollback,
    plan,
    apply,
    status,
    history,
    timeline,
    open_app,
    app,
    accessory,
    build,
    details,
    completion,
    config,
    docs,
    doctor,
    envify,
    init,
    lock,
    env,
    prune,
    traefik,
    audit,
    registry,
    remove,
    server,
    shell,
):
    kp.add_command(command)
kp.add_command(shorthand, "exec")
kp.add_command(all_logs, "logs")


ON_HOSTS = ("setup", "deploy", "redeploy", "rollback", "plan", "apply")


def patch_early(arguments: list[str]) -> None:
    """Load what patches the standard library for the engine, for commands that need that soon and are waited for.

    It replaces every lock that there is, and looks for them among all objects: the fewer there are, the sooner. And it
    looks for plugins 25 times, in the metadata of every package that is installed: once will do.
    """
    if arguments[:1] and arguments[0] in ON_HOSTS and "--help" not in arguments:
        from importlib import metadata

        look = metadata.entry_points
        plugins = look()
        metadata.entry_points = plugins.select
        try:
            import pyinfra_cli  # noqa: F401
        finally:
            metadata.entry_points = look


def require_text(arguments: list[str]) -> None:
    """Make sure that arguments can be sent to a host and printed.

    Raises:
        ConfigError: one is not UTF-8.
    """
    for number, argument in enumerate(arguments, 1):
        if re.search("[\ud800-\udfff]", argument):
            raise ConfigError(f"argument {number} is not valid UTF-8: {argument!r}")


def main() -> None:
    """Run ``kp`` and exit: 0 done, 1 failed, 2 changes, 3 bad configuration or arguments, 4 locked, 130/143."""
    try:
        require_text(sys.argv[1:])
        patch_early(sys.argv[1:])
        sys.exit(kp.main(standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        sys.exit(ConfigError.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted.", err=True)
        sys.exit(130)
    except KpError as error:
        say("\n".join(filter(None, (str(error), error.state))), fg="red", err=True)
        say(more(error), err=True)
        sys.exit(error.code if isinstance(error, Interrupted) else error.exit_code)
    finally:
        gc.freeze()  # else Python looks once more through all modules before it ends: 0.1 s
