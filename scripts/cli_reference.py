"""Write docs/reference/cli.md from the commands of ``kp`` themselves.

``--check`` writes nothing and exits 1 when the page is not what it would be.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
from generated import write_or_check

from kamal_pyinfra.cli.commands.deploy import plan
from kamal_pyinfra.cli.main import kp

PAGE = Path(__file__).parent.parent / "docs/reference/cli.md"
HEAD = """\
# Command line

<!-- Written by scripts/cli_reference.py from the commands themselves; do not edit. -->

`kp COMMAND --help` prints the same. [Troubleshooting](troubleshooting.md) has a section for each kind of failure.

## Exit codes

| code | meaning |
|---|---|
| 0 | done, or nothing to do |
| 1 | failed: a host, the build, a hook, or a plan that is refused |
| 2 | `kp plan --detailed-exitcode` found changes |
| 3 | the configuration or an argument is not usable |
| 4 | another run holds the deploy lock |
| 130, 143 | interrupted by SIGINT or SIGTERM, after cleaning up |
"""


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with the words that call them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in dict.fromkeys((*command.commands, *getattr(command, "late", ()))):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, f"{path} {name}")


def options(command: click.Command) -> dict[str, str]:
    """A command's own options, as they are typed, and what they mean."""
    context = click.Context(command)
    records = (option.get_help_record(context) for option in command.params if isinstance(option, click.Option))
    return dict(record for record in records if record is not None)


def common_options() -> dict[str, str]:
    """The options of every command that reads a configuration."""
    found = [set(options(command).items()) for _, command in commands(kp, "kp") if "config_file" in names(command)]
    common = set.intersection(*found)
    return {typed: meaning for typed, meaning in options(plan).items() if (typed, meaning) in common}


def names(command: click.Command) -> set[str]:
    """The names of a command's parameters."""
    return {parameter.name or "" for parameter in command.params}


def markdown() -> str:
    """The text of docs/reference/cli.md."""
    common = common_options()
    lines = [HEAD, *(line for path, command in commands(kp, "kp") for line in section(path, command, common))]
    lines += ["## Common options", "", "Every command that reads the configuration has these.", "", *table(common)]
    return "\n".join(lines).rstrip() + "\n"


def section(path: str, command: click.Command, common: dict[str, str]) -> Iterator[str]:
    """What a page says of one command."""
    about, _, example = cleandoc(command.help or "").replace("\b\n", "").partition("\nExample:\n")
    usage = " ".join([path, *command.collect_usage_pieces(click.Context(command))])
    yield from (f"## {path}", "", about.strip(), "", "```text", usage, "```", "", "```console")
    yield from (f"$ {re.sub(' {2,}', '    # ', line.strip())}" for line in example.splitlines())
    yield from ("```", "")
    own = {typed: meaning for typed, meaning in options(command).items() if typed not in common}
    if own:
        yield from (*table(own), "")
    if common.items() <= options(command).items():
        yield from ("Takes the [common options](#common-options).", "")


def table(shown: dict[str, str]) -> Iterator[str]:
    """Options as a table."""
    yield from ("| option | meaning |", "|---|---|")
    yield from (f"| `{typed}` | {' '.join(meaning.split())} |" for typed, meaning in shown.items())


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({PAGE: markdown()}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
