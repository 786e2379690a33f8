"""Inputs that are nearly right: valid ones with a few bytes, lines or words changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.targets import Target

HOSTILE = (
    b"\0", b"\n", b"\r", b"\t", b" ", b"'", b'"', b"`", b"$(id)", b"\\", b"\x1b[31m", b"\x1b]0;x\x07", b"\x9b", b"\xff",
    b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xae", b"-", b"--", b"%s", b"{}", b"[]", b"0", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
)  # fmt: skip

TOKEN = re.compile(rb'"[^"\n]*"|[\w.$-]+|[{}\[\]]')
VALUES = (None, True, False, -1, 0, 2**70, 1e308, float("inf"), "", "x", "\ud800", "\x1b[31m", "\n", "\0", [], [None],
          ["x"], [[]], [{}], {}, {"x": None}, {"x": "y"}, {"": ["x"]}, [{"HostIp": 1}], [{"Name": "x"}])  # fmt: skip


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Mutations of the target's seeds, and now and then any bytes."""
    words = st.sampled_from((*HOSTILE, *target.words)) | st.binary(max_size=4)
    edits = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.integers(0, 40), words), max_size=6)
    return st.tuples(st.sampled_from(target.seeds()), edits).map(_edited) | st.lists(words, max_size=12).map(b"".join)


def _edited(drawn: tuple[bytes, list[tuple[int, float, int, bytes]]]) -> bytes:
    data, edits = drawn
    for kind, where, length, word in edits:
        at = int(where * len(data))
        if kind == 0:
            data = data[:at] + word + data[at:]
        elif kind == 1:
            data = data[:at] + word + data[at + length :]
        elif kind == 2:
            data = data[: data.rfind(b"\n", 0, at) + 1] + word + data[at:]
        elif kind == 3:
            data = data[:at] + data[at : at + length] * 2 + data[at + length :]
        elif kind == 4:
            data = _with_token(data, at, word)
        else:
            data = _with_value(data, at, length)
    return data


def _with_token(data: bytes, at: int, word: bytes) -> bytes:
    """One whole word, number or quoted text replaced."""
    token = TOKEN.search(data, at)
    return data if token is None else data[: token.start()] + word + data[token.end() :]


def _with_value(data: bytes, at: int, length: int) -> bytes:
    """One value within the JSON nearest to a place replaced by another kind of value."""
    for text in (data[data.rfind(b"\n", 0, at) + 1 :].partition(b"\n")[0].partition(b" ")[2], data):
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            continue
        places = list(_places(tree))
        if places:
            places[at % len(places)](VALUES[length % len(VALUES)])
        return data.replace(text, json.dumps(tree).encode(), 1)
    return data


def _places(tree: Any) -> list[Callable[[Any], None]]:
    """One function for each value below a list or an object, which replaces it."""
    keys = range(len(tree)) if isinstance(tree, list) else list(tree) if isinstance(tree, dict) else ()
    here = [partial(tree.__setitem__, key) for key in keys]
    return here + [place for key in keys for place in _places(tree[key])]
