from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamal_pyinfra.config.env import HostText
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.shell import script as shell

SHELLS = tuple(
    command
    for command in (("sh",), ("dash",), ("bash", "--posix"), ("busybox", "sh"))
    if shutil.which(command[0]) is not None
)
NASTY = (
    "$(touch hacked)", "`touch hacked`", "$HOME", "${HOME}", "${NAME}", "${NOT_SET}", "${1}", "${NAME:-x}", "$$", "\\",
    "'", '"', "\n", "\r\n", "\t", " ", ";", "&&", "|", ">", "<", "*", "?", "[a]", "{a,b}", "~", "#", "!", "-rf", "--",
    "=", "%s", "\\n", "é", "日本", "\U0001f6a2", "\u2028", "\x1b[31m", "\x7f", "\ufeff",
)  # fmt: skip
texts = st.lists(
    st.one_of(st.sampled_from(NASTY), st.characters(exclude_characters="\0", exclude_categories=("Cs",))), max_size=8
).map("".join)
keys = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
each_shell = pytest.mark.parametrize("command", SHELLS, ids=" ".join)
quickly = settings(max_examples=25, deadline=None)


def echoed(command: tuple[str, ...], words: str, *, cwd: Path | None = None, **environ: str) -> list[str]:
    """What a program sees when a shell reads these words."""
    ended = subprocess.run(
        [*command, "-c", f"printf '%s\\0' {words}"],
        capture_output=True,
        check=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        timeout=20,
    )
    assert ended.stderr == b""
    return ended.stdout.decode().split("\0")[:-1]


@each_shell
@quickly
@given(values=st.lists(texts, min_size=1, max_size=30))
def test_words_arrive_as_they_are(command, values):
    with tempfile.TemporaryDirectory() as folder:
        assert echoed(command, shell.quoted(*values), cwd=Path(folder)) == values
        assert list(Path(folder).iterdir()) == []


@each_shell
@quickly
@given(values=st.lists(texts, min_size=1, max_size=20), name=texts)
def test_only_a_braced_name_expands_in_an_expandable_word(command, values, name):
    with tempfile.TemporaryDirectory() as folder:
        seen = echoed(command, " ".join(shell.expandable(value) for value in values), cwd=Path(folder), NAME=name)
        assert list(Path(folder).iterdir()) == []
    known = {"NAME": name, "PATH": os.environ["PATH"]}
    expected = [
        re.sub(r"\$\{([A-Za-z_][A-Za-z_0-9]*)\}", lambda match: known.get(match[1], ""), value) for value in values
    ]
    assert seen == expected


@each_shell
@quickly
@given(values=st.lists(st.lists(texts, min_size=1, max_size=5).map(tuple), min_size=1, max_size=20), name=texts)
def test_what_did_not_stand_in_the_file_does_not_expand(command, values, name):
    """Every second piece came in from a variable: a reference inside it, or over its border, stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        spelt = " ".join(shell.expandable(HostText(*parts)) for parts in values)
        seen = echoed(command, spelt, cwd=Path(folder), NAME=name)
        assert list(Path(folder).iterdir()) == []
    known = {"NAME": name, "PATH": os.environ["PATH"]}
    expected = [
        "".join(
            part
            if index % 2
            else re.sub(r"\$\{([A-Za-z_][A-Za-z_0-9]*)\}", lambda match: known.get(match[1], ""), part)
            for index, part in enumerate(parts)
        )
        for parts in values
    ]
    assert seen == expected


@each_shell
@quickly
@given(options=st.lists(st.tuples(keys, st.one_of(texts, st.booleans(), st.integers(), st.none())), min_size=1))
def test_every_option_reaches_docker_as_flag_and_value(command, options):
    expected = [word for name, value in options for word in expected_flag(name, value)]
    assert echoed(command, shell.flags(tuple(options))) == expected


def expected_flag(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (f"--{name}",) if value else (f"--{name}=false",)
    return (f"--{name}", "" if value is None else str(value))


@each_shell
@quickly
@given(paths=st.lists(texts, min_size=1, max_size=20), here=texts)
def test_a_host_path_is_absolute_where_the_command_runs(command, paths, here):
    folder_name = re.sub(r"[/\n]", "_", here)[:20] or "here"
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root).resolve() / f"d{folder_name}"
        folder.mkdir()
        seen = echoed(command, " ".join(f"{shell.host_path(path)}:/in" for path in paths), cwd=folder)
        assert list(folder.iterdir()) == []
    assert seen == [path + ":/in" if path.startswith("/") else f"{folder}/{path}:/in" for path in paths]


@each_shell
def test_a_word_may_have_a_hundred_kilobytes(command):
    value = "it's " * 1000 + "x" * 95_000
    assert echoed(command, shell.quoted(value, "-n", "--")) == [value, "-n", "--"]


@pytest.mark.parametrize(
    "spell", [shell.quoted, shell.host_path, shell.expandable, lambda text: shell.flags((("x", text),))]
)
@pytest.mark.parametrize("text", ["a\0b", "caf\udce9"])
def test_what_no_command_can_carry_is_refused(spell, text):
    with pytest.raises(PlanRefused, match="holds a NUL or is not valid UTF-8; no command can carry it"):
        spell(text)


def test_flags_repeat_for_a_list_and_stand_alone_for_true():
    options = (("memory", "512m"), ("init", True), ("add-host", ["a:1", "b:2"]), ("cpus", 2), ("tty", False))
    assert shell.flags(options) == "--memory 512m --init --add-host a:1 --add-host b:2 --cpus 2 --tty=false"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "''"),
        ("plain", "plain"),
        ("two words", "'two words'"),
        ("${HOME}/data", '"${HOME}"/data'),
        ("$(id) ${A}${B}`id`", "'$(id) '\"${A}\"\"${B}\"'`id`'"),
        ("$HOME", "'$HOME'"),
        ("${A:-b}", "'${A:-b}'"),
    ],
)
def test_expandable_leaves_braced_names_to_the_host(value, text):
    assert shell.expandable(value) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("", "a${HOME}b", ""), "'a${HOME}b'"),
        (("${HOSTNAME}-", "${HOME}", "-${B}"), '"${HOSTNAME}"-\'${HOME}\'-"${B}"'),
        (("$", "{HOME}", ""), "'$''{HOME}'"),
        (("", "", ""), "''"),
    ],
)
def test_expandable_keeps_what_a_variable_holds(parts, text):
    assert shell.expandable(HostText(*parts)) == text


def test_join_and_chain_drop_empty_parts():
    assert shell.join("docker run", "", "--detach") == "docker run --detach"
    assert shell.chain("mkdir a", "", "touch a/b") == "mkdir a && touch a/b"
    assert shell.chain() == ""


@each_shell
@pytest.mark.parametrize(("aside", "script", "code"), [(0, 0, 0), (3, 0, 3), (0, 4, 1), (3, 4, 3)])
def test_two_things_go_on_at_the_same_time_and_both_must_succeed(tmp_path, command, aside, script, code):
    """The first waits until the second reads what it says; the second one has the standard input."""
    both = shell.in_parallel(
        f"echo met > pipe; (exit {aside})", f"read -r said < pipe; cat; echo $said; (exit {script})"
    )
    ended = subprocess.run(
        [*command, "-c", f"mkfifo pipe; {both}"],
        input="typed\n",
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
        timeout=20,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "typed\nmet\n", "")
