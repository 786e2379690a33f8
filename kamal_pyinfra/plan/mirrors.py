"""Which hosts pull an image at the same time. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def pull_order(mirrors: Mapping[str, str]) -> list[list[str]]:
    """First one host behind each registry mirror, which fills it, then all others (Kamal 1.9).

    Args:
        mirrors: the first mirror of each host; empty for none.
    """
    first = {mirror: host for host, mirror in reversed(list(mirrors.items())) if mirror}
    leading = [host for host in mirrors if host in first.values()]
    others = [host for host in mirrors if host not in leading]
    return [group for group in (leading, others) if group]
