"""Sizes, CPU shares and durations, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.plan.docker_values import (
    from_bytes,
    from_nano_cpus,
    from_seconds,
    to_bytes,
    to_nano_cpus,
    to_seconds,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("4k", 4096),
        ("256m", 268435456),
        ("256M", 268435456),
        ("256MB", 268435456),
        ("256MiB", 268435456),
        ("1.5g", 1610612736),
        (" 1 g ", 1073741824),
        ("2t", 2 << 40),
        ("1p", 1 << 50),
        ("", None),
        ("-1", None),
        ("plenty", None),
        ("1x", None),
    ],
)
def test_a_size_is_read_as_docker_reads_it(text: str, number: int | None) -> None:
    assert to_bytes(text) == number


@given(st.integers(1, 1 << 53))
def test_a_size_is_shown_so_that_it_reads_back(number: int) -> None:
    """As far as Docker itself reads sizes exactly: as a floating-point number."""
    assert to_bytes(from_bytes(number)) == number


@pytest.mark.parametrize(
    ("number", "text"), [(268435456, "256m"), (1610612736, "1536m"), (1000, "1000b"), (1 << 30, "1g"), (1 << 50, "1p")]
)
def test_a_size_is_shown_in_the_largest_unit_without_a_rest(number: int, text: str) -> None:
    assert from_bytes(number) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1500000000),
        ("2", 2000000000),
        (".5", 500000000),
        ("many", None),
        ("", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_cpus_are_read_as_docker_reads_them(text: str, number: int | None) -> None:
    assert to_nano_cpus(text) == number


@pytest.mark.parametrize(("number", "text"), [(1500000000, "1.5"), (2000000000, "2"), (250000000, "0.25")])
def test_cpus_are_shown_as_they_are_written(number: int, text: str) -> None:
    assert from_nano_cpus(number) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("1m30s", 90), ("500ms", 0.5), ("1.5s", 1.5), ("2h", 7200), ("10us", 1e-5), ("0", 0)],
)
def test_a_duration_is_read_as_docker_reads_it(text: str, seconds: float) -> None:
    assert to_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.0, "1s"), (90.0, "1m30s"), (60.0, "1m"), (0.5, "500ms"), (1.5, "1500ms"), (0.0, "0s")]
)
def test_a_duration_is_shown_in_docker_s_words(seconds: float, text: str) -> None:
    assert from_seconds(seconds) == text


@given(st.integers(0, 10**8))
def test_a_duration_is_shown_so_that_it_reads_back(milliseconds: int) -> None:
    assert to_seconds(from_seconds(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
