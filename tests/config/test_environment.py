"""``.env`` files: who wins, what is replaced, what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config.document.source import load_environment, parse_env_file
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
    environ = load(staging="labels: {}", environ={"A": "process"}).source.environ
    assert [environ[name] for name in "ABCD"] == ["process", "staging", "file", "staging"]
    assert [load().source.environ[name] for name in "ABCD"] == ["file", "file", "file", "file"]


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


RUBYS = {
    r"A='a\\b'": r"a\\b",
    r"A='a\nb'": r"a\nb",
    r"A='it\'s'": r"it\'s",
    "A='a # b' # c": "a # b",
    "A='$X ${X} $(id)'": "$X ${X} $(id)",
    "A='one\ntwo'": "one\ntwo",
    "export A='x'": "x",
    "  A = 'x'  ": "x",
    "A=''": "",
    "A: x y # z": "x y",
    "A: 'x'": "x",
    "export A:  x": "x",
    "A=a:b": "a:b",
    "A=a #b": "a",
    r'A="a\nb"': "a\nb",
    'A="a # b"': "a # b",
    "A=$X-${X}": "1-1",
    r"A=\$X": "$X",
    "A=1\nA=2": "2",
    "A=1\r\n": "1",
    "A=": "",
}
"""Lines that Ruby's dotenv, of which Kamal reads .env with, and this package read alike."""
OURS = {r"A=a\b": r"a\b", "A=a#b": "a#b", r'A="a\tb"': "a\tb"}
"""Lines that they read differently: https://github.com/bkeepers/dotenv drops the backslash, and cuts at any `#`."""


@pytest.mark.parametrize("line", [*RUBYS, *OURS])
def test_a_line_is_read_as_rubys_dotenv_reads_it_or_as_the_page_says(line: str) -> None:
    values, problems = parse_env_file(line.replace("\r\n", "\n"), ".env", {"X": "1"})
    assert (values, problems) == ({"A": (RUBYS | OURS)[line]}, [])


@given(text=st.text(st.characters(exclude_characters="'\r"), max_size=30).filter(lambda text: not text.endswith("\\")))
def test_what_single_quotes_hold_is_literal(text: str) -> None:
    values, problems = parse_env_file(f"A='{text}'\nB=c\n", ".env", {})
    assert (values, problems) == ({"A": text, "B": "c"}, [])


def test_a_command_behind_a_colon_is_refused_too(project: Path, problems: Problems) -> None:
    (project / ".env").write_text("A: b\nB: $(id)\n")
    assert problems() == ".env:2:1 B: $(...) is not run here; write the value, or quote it with ' if it is meant so"


def test_a_long_file_is_read_in_the_time_that_its_length_takes() -> None:
    def seconds(lines: int) -> float:
        text = "".join(f"NAME_{number}=$OTHER-{number}\n" for number in range(lines))
        began = time.process_time()  # other processes do not count
        parse_env_file(text, ".env", {f"V{number}": "x" for number in range(lines)})
        return time.process_time() - began

    assert min(seconds(4000) for _ in range(3)) < 12 * min(seconds(1000) for _ in range(3))
