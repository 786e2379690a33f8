"""What every change has: an action, a subject and a cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Action(StrEnum):
    """What happens to the thing; the value is its symbol in a printed plan (after Terraform)."""

    CREATE = "+"
    UPDATE = "~"
    REPLACE = "±"
    REMOVE = "-"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that will be different on one host, and why.

    Args:
        cause: the reason, as a short clause.
        role: the role that it belongs to; empty for what belongs to the host.
    """

    action: ClassVar[Action] = Action.UPDATE
    kind: ClassVar[str] = ""

    cause: str
    role: str = ""

    @property
    def subject(self) -> str:
        """What changes: the name of a container, file, image or folder."""
        raise NotImplementedError
