"""One field of a thing on a host that is not what the configuration says."""

from __future__ import annotations

from dataclasses import dataclass

NOT_SET = "(not set)"
NAMED_FIELDS = 4


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field with what it is and what it should be; never the value of a secret.

    Args:
        field: what differs, for example ``env COLOR``, ``memory`` or ``secret TOP_SECRET``.
        before: what is there; empty for fields whose value is not shown.
        after: what should be there; for fields without values what happened to them, for example ``changed``.
    """

    field: str
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """``env COLOR: blue → green``, or ``secret TOP_SECRET changed`` where no value may be shown."""
        return f"{self.field}: {self.before} → {self.after}" if self.before else f"{self.field} {self.after}"


def as_cause(differences: tuple[Difference, ...]) -> str:
    """One difference in full, a few by their fields, many by their number."""
    if len(differences) == 1:
        return differences[0].text
    fields = dict.fromkeys(difference.field for difference in differences)
    if len(fields) > NAMED_FIELDS:
        return f"{len(fields)} fields differ"
    return f"{', '.join(fields)} {'differ' if len(fields) > 1 else 'differs'}"
