"""What every change has: an action, a subject and a cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import ClassVar

from kamal_pyinfra.plan.compare.fields import Difference


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
        differences: field by field, what is and what will be.
        is_drift: whether the host was changed by somebody else, while the configuration is what it was.
        part_of: the subject of the change that brings this one along; empty if it stands for itself.
    """

    usual_action: ClassVar[Action] = Action.UPDATE
    kind: ClassVar[str] = ""
    subject_field: ClassVar[str] = "name"

    cause: str
    role: str = ""
    differences: tuple[Difference, ...] = ()
    is_drift: bool = False
    part_of: str = ""

    @property
    def action(self) -> Action:
        """What happens to the thing."""
        return self.usual_action

    @property
    def subject(self) -> str:
        """What changes: the name of a container, file, image or folder."""
        value = attrgetter(self.subject_field)(self)
        return value if isinstance(value, str) else ", ".join(value)
