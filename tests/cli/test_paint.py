"""Colour where somebody sees it, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from kamal_pyinfra.cli.output import paint

PLAN = """\
Plan for shop v2

web: 192.0.2.1
  + image     acme/shop:v2  not on the host
  ~ env file  shop-web.env  secret TOP_SECRET changed
  ± container shop-web-v2   memory, cpus differ
    memory: 256m → 512m
  - image     acme/shop:v0  no container uses it
  (a note - not a change)

Plan: 1 to replace, 1 to create, 1 to change, 1 to remove, 3 unchanged.
"""
PAINTED = """\
<1>Plan for shop v2<0>

web: 192.0.2.1
  <32><1>+<0> image     acme/shop:v2  not on the host
  <33><1>~<0> env file  shop-web.env  secret TOP_SECRET changed
  <36><1>±<0> container shop-web-v2   memory, cpus differ
    memory: 256m → 512m
  <31><1>-<0> image     acme/shop:v0  no container uses it
  (a note - not a change)

<1>Plan: 1 to replace, 1 to create, 1 to change, 1 to remove, 3 unchanged.<0>
"""


@click.command()
def show() -> None:
    """Print a plan."""
    paint(PLAN)


def spelled(text: str) -> str:
    """``<32>`` as a terminal is told."""
    for code in ("0", "1", "31", "32", "33", "36"):
        text = text.replace(f"<{code}>", f"\x1b[{code}m")
    return text


@pytest.mark.parametrize("no_color", [None, ""])
def test_on_a_terminal_symbols_and_the_frame_stand_out(no_color: str | None) -> None:
    """An empty NO_COLOR says nothing (https://no-color.org)."""
    result = CliRunner(env={"NO_COLOR": no_color}).invoke(show, color=True)
    assert result.output == spelled(PAINTED)


@pytest.mark.parametrize("value", ["1", "0", "true"])
def test_whoever_wants_no_colour_gets_none(value: str) -> None:
    assert CliRunner(env={"NO_COLOR": value}).invoke(show, color=True).output == PLAN


def test_in_a_file_or_pipe_there_is_none() -> None:
    assert CliRunner(env={"NO_COLOR": None}).invoke(show, color=False).output == PLAN


@pytest.mark.parametrize(("environ", "is_painted"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_real_terminal_is_told_from_a_pipe(environ: dict[str, str], is_painted: bool) -> None:
    program = f"from kamal_pyinfra.cli.output import paint; paint({PLAN!r})"
    everything = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | environ
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([sys.executable, "-c", program], stdout=theirs, env=everything, timeout=30, check=False)
        seen = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert seen.replace("\r\n", "\n") == (spelled(PAINTED) if is_painted else PLAN)
