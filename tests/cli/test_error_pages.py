"""Every error says where more is said of it, and there it is, without the repository too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.cli.output import error_page, more
from kamal_pyinfra.errors import ConfigError, HostFailed, KpError

ERRORS = [error.__name__ for error in KpError.__subclasses__()]
PAGE = (Path(__file__).parents[2] / "docs/reference/troubleshooting.md").read_text()


def test_an_error_names_its_page() -> None:
    assert more(HostFailed("web1 failed")) == "More: kp docs HostFailed  (docs/reference/troubleshooting.md#hostfailed)"


@pytest.mark.parametrize("name", ERRORS)
def test_every_class_has_its_page(name: str) -> None:
    shown = CliRunner().invoke(kp, ["docs", name])
    assert (shown.exit_code, shown.output) == (0, error_page(name))
    assert shown.output.startswith(f"## {name}\n\n")
    assert len(shown.output.splitlines()) > 3
    assert f"\n## {name}\n" in PAGE
    assert "](" not in shown.output


def test_a_page_ends_where_the_next_begins() -> None:
    assert (
        error_page("LockLost") == f"## LockLost{PAGE.partition('## LockLost')[2].partition('## BuildFailed')[0]}"[:-1]
    )


@pytest.mark.parametrize("typed", ["lockheld", "LOCKHELD", "errors#lockheld"])
def test_a_name_may_be_typed_as_in_an_address(typed: str) -> None:
    assert error_page(typed) == error_page("LockHeld")


def test_the_list_has_every_class_with_its_exit_code() -> None:
    listed = error_page("errors")
    assert listed.startswith("# Troubleshooting\n")
    assert [name for name in ERRORS if f"\n| `{name}` | " not in listed] == []
    assert "\n## " not in listed


@pytest.mark.parametrize("name", ["healthcheck", "Commands that help", "kperror", ""])
def test_what_is_no_error_has_no_such_page(name: str) -> None:
    assert error_page(name) is None


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    refused = CliRunner().invoke(kp, ["docs", "LockHeldd"])
    assert isinstance(refused.exception, ConfigError)
    assert str(refused.exception).endswith("ssh, sshkit, traefik")
