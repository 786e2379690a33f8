"""Nothing that came from elsewhere reaches a terminal as a command to it."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.text import INVISIBLE, one_line, sanitized, sanitized_json, without_commands

PIECES = st.sampled_from(
    ("\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\x1b", "[", "\x9d", "\n", "\r", "\u202e", "\ud800", "a")
)
TEXTS = st.lists(PIECES | st.characters(), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[?25lhidden cursor", "hidden cursor"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r\x1b\\text", "text"),
        ("\x9b31mred, with eight bits", "red, with eight bits"),
        ("\x1b]0;never closed\nnext line", "\nnext line"),
        ("over\rwritten\b\x07", "overwritten"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("a\u061cb\u200e\u2066c\u2069", "abc"),
        ("we\u200bb1\u2060\ufeff\u00ad\U000e0041", "web1"),
        ("a\u2028b\u2029c", "abc"),
        ("\u26a0\ufe0f careful", "\u26a0\ufe0f careful"),
        ("half \ud83d of a character", "half \ufffd of a character"),
        ("a\tb — é 日本 🚢", "a\tb — é 日本 🚢"),
    ],
)
def test_only_text_is_left(text: str, printed: str) -> None:
    assert sanitized(text) == printed


@given(text=TEXTS)
def test_no_text_has_a_control_character_left_and_all_can_be_encoded(text: str) -> None:
    printed = sanitized(text)
    assert [each for each in printed if not (each in "\n\t" or ord(each) >= 0xA0 or 0x20 <= ord(each) < 0x7F)] == []
    printed.encode()
    assert sanitized(printed) == printed
    assert "\n" not in one_line(text)


@given(text=TEXTS)
def test_json_is_the_same_and_without_control_characters(text: str) -> None:
    told = {"text": text.encode(errors="replace").decode()}
    printed = sanitized_json(json.dumps(told, ensure_ascii=False, indent=2))
    assert json.loads(printed) == told
    assert sanitized(printed) == printed


VISIBLE_FORMATS = {0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD, *range(0x0600, 0x0606)}
"""Signs of Arabic, Syriac and Kaithi that span numbers, and show them."""
HIEROGLYPHS = range(0x13430, 0x13440)
"""They join hieroglyphs, and have no other effect."""


def test_every_character_that_shows_nothing_or_turns_text_around_is_left_out() -> None:
    kept = {ord(each) for each in map(chr, range(0x110000)) if unicodedata.category(each) in ("Cf", "Zl", "Zp")}
    kept = {code for code in kept if sanitized(chr(code))}
    assert kept - VISIBLE_FORMATS - {*HIEROGLYPHS} == set()
    assert "\u061c" in INVISIBLE


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("::set-output name=deployed::yes", ": :set-output name=deployed::yes"),
        ("  \t::stop-commands::xyz", "  \t: :stop-commands::xyz"),
        ("\u3000\u00a0::add-mask::e", "\u3000\u00a0: :add-mask::e"),
        ("a line\n::error::b", "a line\n: :error::b"),
        (":\ufe0f:warning::c", ": \ufe0f:warning::c"),
        ("14:32:58  release  ##[set-output name=deployed;]yes", "14:32:58  release  # #[set-output name=deployed;]yes"),
        ("####[group]", "### #[group]"),
        ("x ##vso[task.setvariable variable=a]b", "x # #vso[task.setvariable variable=a]b"),
        ("##teamcity[buildStatus status='SUCCESS']", "# #teamcity[buildStatus status='SUCCESS']"),
        ("\ufe0f ::debug::x", "\ufe0f : :debug::x"),
        ("#\ufe0f#[error]", "# \ufe0f#[error]"),
        ("--- Deploy", " --- Deploy"),
        ("^^^ +++", " ^^^ +++"),
        ("section_start:1700000000:a", " section_start:1700000000:a"),
        ("ActiveRecord::Error at http://[::1]:80 ## a heading", "ActiveRecord::Error at http://[::1]:80 ## a heading"),
    ],
)
def test_nothing_is_a_command_to_a_ci_runner(text: str, printed: str) -> None:
    assert without_commands(text) == printed


RUNNER_PIECES = st.sampled_from((":", "::", "#", "##", "[", "vso[", "teamcity[", " ", "\n", "\u00a0", "\ufe0f", "a"))


@given(text=st.lists(RUNNER_PIECES, max_size=10).map("".join))
def test_no_mixture_is_a_command_to_a_ci_runner(text: str) -> None:
    """As runners read it: trimmed, and without what .NET ignores in a comparison."""
    read = without_commands(sanitized(text)).replace("\ufe0f", "")
    assert [line for line in read.split("\n") if line.strip().startswith("::")] == []
    assert not any(mark in read for mark in ("##[", "##vso[", "##teamcity["))
