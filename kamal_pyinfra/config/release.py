"""The section ``release``: a command that runs once per deploy, before the new version boots."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.tree import Map
from kamal_pyinfra.config.values import OURS, SECTION, FilledText, Seconds

RELEASE_SECONDS = 600


class Release(BaseModel):
    """A command that runs once per deploy in a container of the new version, before anything boots."""

    model_config = SECTION

    cmd: FilledText = Field(
        description="Command, such as `bin/migrate`; no shell reads it. It may run again after an interruption.",
        json_schema_extra=OURS,
    )
    timeout: Seconds = Field(
        default=RELEASE_SECONDS,
        description="Seconds after which it is killed, and the deploy ends.",
        json_schema_extra=OURS,
    )
    role: FilledText | None = Field(
        default=None,
        description="Role whose environment, volumes and options it gets; the primary one without it.",
        json_schema_extra=OURS,
    )
    host: FilledText | None = Field(
        default=None,
        description="Host of that role on which it runs; the first one without it.",
        json_schema_extra=OURS,
    )


def to_release(value: Any) -> Any:
    """A command alone is short for a section."""
    return value if isinstance(value, Map | dict | Release) else {"cmd": value}


ReleaseSetting = Annotated[
    Release | None,
    BeforeValidator(to_release, json_schema_input_type=str | Release | None),
    Field(
        description="Command that runs once per deploy, before the new version boots; or a section.",
        json_schema_extra=OURS,
    ),
]
