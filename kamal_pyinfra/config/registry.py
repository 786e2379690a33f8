"""The section ``registry``, and the registry of one's own where there is none."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from kamal_pyinfra.config.values import OURS, SECTION, FilledText, Lookup, SecretLookup, Text

OWN_SERVER = "localhost:5555"
OWN_IMAGE = "registry:2"
LOOPBACK = re.compile(r"localhost:([0-9]{1,5})", re.ASCII)


class Registry(BaseModel):
    """Where the image is pushed to and pulled from.

    Without the section, or with `server: localhost:PORT` and no user (as in Kamal 2), it is a container on the
    deploying machine, of which hosts hear only through the SSH connection of the deploy.
    """

    model_config = SECTION

    server: Text | None = Field(default=None, description="Host of the registry; Docker Hub without it.")
    username: Lookup | None = Field(
        default=None, description="User name, or a list of one environment variable's name."
    )
    password: SecretLookup | None = Field(
        default=None,
        description="Password, or a list of one environment variable's name. One that a program prints: "
        "`[ECR_PASSWORD]`, and `ECR_PASSWORD=$(aws ecr get-login-password) kp deploy`.",
    )
    image: FilledText = Field(
        default=OWN_IMAGE,
        description="Image of the registry on the deploying machine, if there is no other.",
        json_schema_extra=OURS,
    )

    @property
    def is_own(self) -> bool:
        """Whether it is a container on the deploying machine."""
        has_account = self.username is not None or self.password is not None
        return not has_account and LOOPBACK.fullmatch(self.server or "") is not None

    @property
    def own_port(self) -> int:
        """Its port on the loopback of the deploying machine, and of hosts while they pull."""
        return int((self.server or OWN_SERVER).rpartition(":")[2])


OWN = Registry(server=OWN_SERVER)
"""That of a configuration which names none."""
