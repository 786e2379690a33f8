"""A destination that was not chosen, is misspelt, or cannot be a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import Problems

WITHOUT_SERVERS = {"servers": None}


@pytest.fixture
def beside(project: Path) -> None:
    """Two destinations, and files that are none."""
    for name in ("deploy.staging.yml", "deploy.production.yml", "deploy.yml.erb", "deploy.a b.yml", "other.x.yml"):
        (project / "config" / name).write_text("servers: [a]\n")


@pytest.mark.usefixtures("beside")
def test_what_a_destination_may_have_is_asked_for_with_d(problems: Problems) -> None:
    choice = "there are destinations: production, staging; choose one with -d"
    assert problems(servers=None) == f"1:1 servers: is required; {choice}"
    assert problems(servers=None, image=None) == f"1:1 image: is required; {choice}\n1:1 servers: is required; {choice}"
    assert problems(require_destination="true") == f"5:22 require_destination: You must specify a destination; {choice}"


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    ("servers", "problem"),
    [
        ("", "4:9 servers: should be an array or a hash"),
        ("{web: []}", "4:16 servers/web: No servers specified for the web primary_role"),
        ("{job: [a]}", "4:10 servers: The primary_role web isn't defined"),
    ],
)
def test_what_is_empty_may_be_filled_by_a_destination_too(problems: Problems, servers: str, problem: str) -> None:
    choice = "there are destinations: production, staging; choose one with -d"
    assert problems(servers=servers) == f"{problem}; {choice}"


def test_without_destinations_nothing_is_said_of_them(problems: Problems) -> None:
    assert problems(servers=None) == "1:1 servers: is required"


@pytest.mark.usefixtures("beside")
def test_a_destination_that_is_misspelt_is_named_with_those_there_are(problems: Problems) -> None:
    start = (
        "config/deploy.{0}.yml:1:1 Configuration file not found in config/deploy.{0}.yml; "
        "there are destinations: production, staging"
    )
    assert problems(destination="stagng") == start.format("stagng") + " (did you mean `staging`?)"
    assert problems(destination="x") == start.format("x")


@pytest.mark.usefixtures("beside")
def test_a_destination_that_lacks_a_key_too_is_an_ordinary_problem(project: Path, problems: Problems) -> None:
    (project / "config/deploy.staging.yml").write_text("labels: {}\n")
    assert problems(servers=None, destination="staging") == "1:1 servers: is required"


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".x", "a b", "ü"])
def test_a_destination_that_no_file_has_is_refused(problems: Problems, name: str) -> None:
    assert problems(destination=name) == f"destination {name!r} can only include letters, digits, `_`, `.` and `-`"
