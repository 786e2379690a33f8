"""The ``builder`` section."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.values import OURS, SECTION, FilledText, Flag, Text, problem, to_text

PROXY = re.compile(r"(HTTPS?|FTP|ALL|NO)_PROXY", re.IGNORECASE | re.ASCII)
"""Build arguments that every build knows (https://docs.docker.com/reference/dockerfile/#predefined-args); the docker
command obeys variables of these names itself."""

Driver = Literal["docker-container", "docker"]


class BuilderHost(BaseModel):
    """A machine that builds."""

    model_config = SECTION

    arch: Text | None = Field(default=None, description="Architecture to build there, such as `amd64`.")
    host: Text | None = Field(
        default=None, description="Docker host, such as `ssh://root@192.0.2.9`; the engine of this machine without it."
    )


def to_cache_type(value: object) -> str:
    """One of the caches that BuildKit and Kamal both know."""
    text = to_text(value)
    if text not in ("gha", "registry"):
        raise problem(f"Invalid cache type: {text}")
    return text


class BuilderCache(BaseModel):
    """Where layers are kept between builds."""

    model_config = SECTION

    type: Annotated[Literal["gha", "registry"], BeforeValidator(to_cache_type)] = Field(
        description="GitHub Actions' cache, or an image in the registry."
    )
    options: Text | None = Field(default=None, description="More options of the cache, comma separated.")
    image: Text | None = Field(default=None, description="Image of the cache; `IMAGE-build-cache` without it.")


class Builder(BaseModel):
    """How the image is built."""

    model_config = SECTION

    multiarch: Flag = Field(
        default=True,
        description="Build with buildx for `linux/amd64` and `linux/arm64`; `false`: for this machine's own platform.",
    )
    local: BuilderHost | None = Field(
        default=None, description="The engine that builds beside `remote`; alone, its `arch` is the only one built."
    )
    remote: BuilderHost | None = Field(default=None, description="A machine that builds, for its own architecture.")
    driver: Annotated[Driver, BeforeValidator(to_text)] = Field(
        default="docker-container",
        description="What builds at `remote`: a container with BuildKit (Kamal's way), or its `docker` engine itself.",
        json_schema_extra=OURS,
    )
    cache: BuilderCache | None = Field(default=None, description="Cache for layers.")
    context: FilledText | None = Field(
        default=None, description="Folder to build; with it the working tree is built instead of a git clone."
    )
    dockerfile: FilledText = Field(default="Dockerfile", description="Dockerfile, from the project's folder.")
    target: Text | None = Field(default=None, description="Stage of the Dockerfile to build.")
    args: Options = Field(default={}, description="Build arguments.")
    secrets: tuple[Text, ...] = Field(default=(), description="Environment variables for `--secret id=NAME`.")
    ssh: Text | None = Field(default=None, description="SSH agent or keys for the build, as `default=$SSH_AUTH_SOCK`.")
