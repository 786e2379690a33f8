"""How long, and by what, a new version is watched after the switch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.tree import Map
from kamal_pyinfra.config.values import OURS, SECTION, FilledText, Seconds

SLICE_SECONDS = 5
"""How long a host watches in one go: when one host calls the version bad, the others hear of it after that."""


class Watch(BaseModel):
    """How a new version is watched while the old one still runs beside it, ready to take over again.

    A container that stops, restarts or gets unhealthy is bad at once; `cmd` and `url` may fail once.
    """

    model_config = SECTION

    seconds: Seconds = Field(description="How long.", json_schema_extra=OURS)
    cmd: FilledText | None = Field(
        default=None,
        description="Shell command in each new container of the primary role; must exit 0.",
        json_schema_extra=OURS,
    )
    url: FilledText | None = Field(
        default=None,
        description="Asked with `curl` or `wget` from each host of the primary role; must succeed.",
        json_schema_extra=OURS,
    )

    @property
    def slices(self) -> tuple[int, ...]:
        """Seconds of each go on a host."""
        whole, rest = divmod(self.seconds, SLICE_SECONDS)
        return (SLICE_SECONDS,) * whole + ((rest,) if rest else ())


def to_watch(value: object) -> object:
    """A number of seconds alone is short for a section."""
    return value if isinstance(value, Map | dict | Watch) else {"seconds": value}


WatchSetting = Annotated[Watch | None, BeforeValidator(to_watch, json_schema_input_type=int | Watch | None)]
