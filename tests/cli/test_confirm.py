"""A question before something that interrupts or removes: shown what, `N` unless the answer is `y`."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from kamal_pyinfra.cli.task import confirm_row, yes_option
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.changes import RemoveContainer
from kamal_pyinfra.plan.plan import HostPlan, Plan
from kamal_pyinfra.plan.tasks.table import TASKS
from tests.cli.test_options import options
from tests.conftest import StandIn

PLAN = """\
Plan for shop

web: web1
  - container shop-web-v1  asked for

Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.
"""


Ask = Callable[..., Result]


@pytest.fixture
def ask(stand_in: StandIn) -> Ask:
    """Call a command that asks before it removes a container, or has nothing to remove."""

    def called(*arguments: str, answer: str | None = None, is_empty: bool = False, **given: object) -> Result:
        changes = () if is_empty else (RemoveContainer(name="shop-web-v1", cause="asked for"),)
        host = HostPlan(host="web1", roles=("web",), changes=changes)
        plan = Plan(service="shop", version="", command="remove", build=None, hosts=(host,))
        stand_in("kamal_pyinfra.runner.tasks", preview=lambda *_: plan)

        @click.command()
        @yes_option
        def command(is_confirmed: bool) -> None:
            question = "" if is_confirmed else "Remove all of this?"
            if confirm_row(options(**given), TASKS["remove"], None, (), question):
                click.echo("removed")

        return CliRunner().invoke(command, arguments, input=answer)

    return called


@pytest.mark.parametrize(("answer", "end"), [("y\n", "removed\n"), ("n\n", "Aborted\n"), ("\n", "Aborted\n")])
def test_only_yes_goes_on(ask: Ask, answer: str, end: str) -> None:
    done = ask(answer=answer)
    assert (done.exit_code, done.output.replace(answer, "\n", 1) if answer != "\n" else done.output) == (
        0,
        f"{PLAN}Remove all of this? [y/N]: \n{end}",
    )


def test_y_does_not_ask_and_still_shows_what_happens_unless_quiet(ask: Ask) -> None:
    assert ask("-y").output == f"{PLAN}removed\n"
    assert ask("-y", quiet=True).output == "removed\n"
    assert ask(answer="y\n", quiet=True).output.startswith(PLAN)


def test_without_changes_nobody_is_asked(ask: Ask) -> None:
    assert ask(is_empty=True).output == "shop: nothing to change.\n"


def test_where_nobody_answers_the_way_out_is_named(ask: Ask) -> None:
    done = ask(answer=None)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "there was no answer; add -y to go on without a question"
