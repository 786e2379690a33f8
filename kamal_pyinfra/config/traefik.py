"""The ``traefik`` section: the proxy in front of the app containers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.values import SECTION, FilledText, Flag, Text, to_filled_text


def to_host_port(value: object) -> int | str:
    """A port, or ``address:port``."""
    text = to_filled_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text


class Traefik(BaseModel):
    """The proxy: a Traefik container on every host with a role that it routes to."""

    model_config = SECTION

    image: FilledText = Field(default="traefik:v2.11", description="Image of the proxy.")
    host_port: Annotated[int | str, BeforeValidator(to_host_port)] = Field(
        default=80, description="Port, or `address:port`, where hosts publish the proxy."
    )
    publish: Flag = Field(default=True, description="Whether `host_port` is published at all.")
    labels: dict[str, Text] = Field(default={}, description="Labels, laid over Kamal's own.")
    args: Options = Field(default={}, description="Arguments of Traefik, laid over `log.level: DEBUG`.")
    options: Options = Field(default={}, description="More options for `docker run`.")
    env: Env = Field(default=Env(), description="Environment of the proxy.")
