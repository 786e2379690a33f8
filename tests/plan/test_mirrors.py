from __future__ import annotations

import pytest

from kamal_pyinfra.runner.build import pull_order


@pytest.mark.parametrize(
    ("mirrors", "groups"),
    [
        ({"a": "", "b": "", "c": ""}, [["a", "b", "c"]]),
        ({"a": "m", "b": "m", "c": "m"}, [["a"], ["b", "c"]]),
        ({"a": "", "b": "m", "c": "n", "d": "m", "e": "n"}, [["b", "c"], ["a", "d", "e"]]),
        ({"a": "m"}, [["a"]]),
        ({}, []),
    ],
)
def test_one_host_behind_each_mirror_pulls_first(mirrors: dict[str, str], groups: list[list[str]]):
    assert pull_order(mirrors) == groups
