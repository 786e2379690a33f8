"""Which requests go to the targets of a rollout."""

from __future__ import annotations

from typing import Any

from .exchange import Request

COOKIE = "kamal-rollout"
LARGEST = 0xFFFFFFFF


class Rollout:
    """The split of a service: a share of the values that the cookie may have, and values that are named."""

    def __init__(self, percentage: int, allowed: list[str] | None) -> None:
        self.percentage = percentage
        self.allowed = allowed
        self.split_point = LARGEST * (percentage / 100)

    @classmethod
    def read(cls, found: dict[str, Any] | None) -> Rollout | None:
        return cls(found.get("percentage", 0), found.get("allowlist")) if found else None

    def as_file(self) -> dict[str, Any]:
        point = int(self.split_point) if self.split_point.is_integer() else self.split_point
        return {"percentage": self.percentage, "percentage_split_point": point, "allowlist": self.allowed}

    def takes(self, request: Request) -> bool:
        """Tell whether a request is one of the rollout's; without the cookie it never is."""
        value = request.cookie(COOKIE)
        return bool(value) and (value in (self.allowed or []) or fnv1a(value.encode()) <= self.split_point)


def fnv1a(data: bytes) -> int:
    """Hash with FNV-1a, 32 bits."""
    result = 0x811C9DC5
    for byte in data:
        result = (result ^ byte) * 0x01000193 & LARGEST
    return result
