"""`--decommission` connects to hosts that only records on other hosts name: it asks first."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from kamal_pyinfra.cli.options import require_confirmed
from kamal_pyinfra.errors import ConfigError

FOUND = {"192.0.2.9": ("web", "job"), "db.example.com": ()}
ASKED = (
    "Records on the hosts name: 192.0.2.9 (web, job), db.example.com (accessories). They are not in the "
    "configuration.\nConnect to them and remove shop from there? [y/N]: "
)


def ask(found: dict[str, tuple[str, ...]], *, answer: str | None = None, is_confirmed: bool = False) -> Result:
    @click.command()
    def command() -> None:
        require_confirmed("shop", found, is_confirmed=is_confirmed)
        click.echo("connects")

    return CliRunner().invoke(command, input=answer)


def test_every_host_is_named_and_only_yes_connects() -> None:
    done = ask(FOUND, answer="y\n")
    assert done.stderr.startswith(ASKED)
    assert done.stdout == "connects\n"


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_any_other_answer_changes_nothing(answer: str) -> None:
    done = ask(FOUND, answer=answer)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "not confirmed, so nothing was changed; `--forget HOST` leaves one of them out"
    assert "connects" not in done.output


def test_where_nobody_answers_the_hosts_and_the_way_out_are_named() -> None:
    done = ask(FOUND)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "there was no answer; add -y to go on without a question"
    assert done.stderr.startswith("Records on the hosts name: 192.0.2.9 (web, job), db.example.com (accessories).")


def test_confirmed_beforehand_or_without_such_hosts_nobody_is_asked() -> None:
    assert ask(FOUND, is_confirmed=True).output == "connects\n"
    assert ask({}).output == "connects\n"
