"""``kp``: the command tree, and the one place where errors become text and exit codes."""

from __future__ import annotations

import gc
import re
import sys

import click

from kamal_pyinfra import __version__
from kamal_pyinfra.cli.group import LateGroup
from kamal_pyinfra.cli.output import prepare_output, say, say_json
from kamal_pyinfra.errors import ConfigError, Interrupted, KpError

COMMANDS = {
    "setup": "deploy.setup",
    "deploy": "deploy.deploy",
    "redeploy": "deploy.redeploy",
    "rollback": "rollback.rollback",
    "plan": "plan.plan",
    "apply": "plan.apply",
    "status": "status.status",
    "history": "history.history",
    "timeline": "history.timeline",
    "open": "status.open_app",
    "app": "app.app",
    "accessory": "accessory.accessory",
    "build": "build.build",
    "details": "status.details",
    "completion": "project.completion",
    "config": "project.config",
    "docs": "project.docs",
    "doctor": "status.doctor",
    "envify": "env.envify",
    "init": "project.init",
    "lock": "lock.lock",
    "env": "env.env",
    "prune": "prune.prune",
    "traefik": "proxy.traefik",
    "audit": "history.audit",
    "registry": "build.registry",
    "remove": "prune.remove",
    "server": "server.server",
    "shell": "exec.shell",
    "exec": "exec.shorthand",
    "logs": "app.all_logs",
}
"""Where each command is."""


@click.group(cls=LateGroup, late=COMMANDS, context_settings={"help_option_names": ["--help"], "max_content_width": 100})
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


ON_HOSTS = ("setup", "deploy", "redeploy", "rollback", "plan", "apply")


def load_early(arguments: list[str]) -> None:
    """Load the engine before all else, for commands that need it soon."""
    if arguments[:1] and arguments[0] in ON_HOSTS and "--help" not in arguments:
        from kamal_pyinfra.ssh import patches

        patches.load_early()


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
    prepare_output()
    try:
        require_text(sys.argv[1:])
        load_early(sys.argv[1:])
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
        from kamal_pyinfra.cli.output import more

        say("\n".join(filter(None, (str(error), error.state))), fg="red", err=True)
        say(more(error), err=True)
        sys.exit(error.code if isinstance(error, Interrupted) else error.exit_code)
    finally:
        gc.freeze()  # else Python looks once more through all modules before it ends: 0.1 s
