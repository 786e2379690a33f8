"""Confirmation before a command that interrupts or removes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options
from kamal_pyinfra.cli.output import say, says_yes

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan

yes_option = click.option("-y", "--confirmed", "--yes", "is_confirmed", is_flag=True, help="Do not ask.")


def is_wanted(options: Options, plan: Plan, question: str, *, is_confirmed: bool) -> bool:
    """Show the plan, and ask whether to go on (Kamal 1.9: only ``y`` is yes).

    Raises ConfigError if there is no input to read the answer from.
    """
    from kamal_pyinfra.plan.output.text import render_text

    if not options.quiet or not is_confirmed or options.dry_run:
        say(render_text(plan), nl=False)
    if options.dry_run:
        return False
    if plan.is_empty or is_confirmed:
        return not plan.is_empty
    if not says_yes(question):
        say("Aborted")
        return False
    return True
