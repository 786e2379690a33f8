"""Nothing that came from elsewhere reaches a terminal as a command to it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.plan.text import one_line, sanitized, sanitized_json

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
