"""``.env`` files: who wins, what is replaced, what is refused."""

from __future__ import annotations

from pathlib import Path

from kamal_pyinfra.config.environment import load_environment, parse_env_file
from tests.config.conftest import Load, Problems

ENV_FILE = r"""# a comment
PLAIN=value
export EXPORTED=yes
SPACED = around
TRAILING=value # a comment
EMPTY=
QUOTED="two words # no comment"
LINES="one
two"
ESCAPED="a\nb"
SINGLE='$PLAIN ${PLAIN} $(date)'
FROM=$PLAIN-${PLAIN}-$NOWHERE.
DOLLAR=a\$PLAIN
DOUBLE="<${PLAIN}>"
OUTER=$SHELL_VALUE
UNICODE=grün-中
BACKSLASH=C:\temp
NOT_SET
"""


def test_the_lines_of_an_env_file() -> None:
    values, problems = parse_env_file(ENV_FILE, ".env", {"SHELL_VALUE": "outer", "PLAIN": "process"})
    assert problems == []
    assert values == {
        "PLAIN": "value",
        "EXPORTED": "yes",
        "SPACED": "around",
        "TRAILING": "value",
        "EMPTY": "",
        "QUOTED": "two words # no comment",
        "LINES": "one\ntwo",
        "ESCAPED": "a\nb",
        "SINGLE": "$PLAIN ${PLAIN} $(date)",
        "FROM": "process-process-.",
        "DOLLAR": "a$PLAIN",
        "DOUBLE": "<process>",
        "OUTER": "outer",
        "UNICODE": "grün-中",
        "BACKSLASH": r"C:\temp",
    }


def test_the_process_wins_over_the_destination_and_that_over_the_rest(project: Path, load: Load) -> None:
    (project / ".env").write_text("A=file\nB=file\nC=file\nD=$B\n")
    (project / ".env.staging").write_text("A=staging\nB=staging\n")
    environ = load(staging="labels: {}", environ={"A": "process"}).environ
    assert [environ[name] for name in "ABCD"] == ["process", "staging", "file", "staging"]
    assert [load().environ[name] for name in "ABCD"] == ["file", "file", "file", "file"]


def test_lines_that_are_no_variables_are_located(project: Path, problems: Problems) -> None:
    (project / ".env").write_text("A=b\n\n= no name\nTOKEN=$(vault read x)\nC='open\n")
    assert problems(labels="x") == (
        ".env:3:1 should be NAME=value\n"
        ".env:4:1 TOKEN: $(...) is not run here; write the value, or quote it with ' if it is meant so\n"
        ".env:5:1 should be NAME=value\n"
        "5:9 labels: should be a hash"
    )


def test_an_env_file_in_another_encoding_is_located(project: Path, problems: Problems) -> None:
    (project / ".env").write_bytes(b"A=b\nC=\xff\n")
    assert problems() == ".env:2:3 is not valid UTF-8"


def test_values_do_not_show_when_an_environment_is_printed(project: Path) -> None:
    environment, _ = load_environment({"TOKEN": "hidden"}, project, None)
    assert repr(environment) == str(environment) == "Environment(1 variables)"
    assert dict(environment) == {"TOKEN": "hidden"}


def test_a_configuration_that_is_printed_shows_no_secret(load: Load) -> None:
    config = load(registry="{username: u, password: hidden}", ssh="{key_data: [hidden]}", environ={"TOKEN": "hidden"})
    assert "hidden" not in repr(config) + str(config) + repr(vars(config)) + repr(config.__pydantic_private__)
