"""What a host prints of a container that ``docker inspect`` showed, without a host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kamal_pyinfra.plan.state.desired import check
from kamal_pyinfra.shell.snapshot import Ours, container_template, sums_template
from tests.facts.go_template import render

SHOP = Ours(service="shop", destination="", owner="shop", accessories=("shop/db",), names=("traefik", "shop-db"))


def lines_of(container: dict[str, Any], *, ours: Ours = SHOP, clear: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the snapshot, with the numbers that awk makes of clear variables."""
    template = container_template(ours) + sums_template((), clear)
    for line in render(template, container).splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "clear":
            identity, text, name = rest.split(" ")
            yield f"clear-check {check(text)} {name} {identity}"
        elif kind == "container":
            yield line
