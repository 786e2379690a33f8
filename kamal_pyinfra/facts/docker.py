"""The engine on a host, and what runs on it."""

from __future__ import annotations

import json

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase


class DockerInstalled(FactBase[bool]):
    """Whether the host has Docker and its engine answers the SSH user: ``True``."""

    @staticmethod
    def default() -> bool:
        """Without output there is no Docker."""
        return False

    def command(self) -> str:
        """Ask the engine for its version; only the engine's own silence counts as absence."""
        return "docker version --format '{{.Server.Version}}' 2> /dev/null || true"

    def process(self, output: list[str]) -> bool:
        """Any version will do."""
        return any(line.strip() for line in output)


class RunningVersions(FactBase[dict[str, list[str]]]):
    """Versions of a service that run on the host, newest first, by role: ``{"web": ["abc123"]}``.

    A Docker engine that does not answer is an error, not an empty answer.
    """

    @staticmethod
    def default() -> dict[str, list[str]]:
        """Nothing runs."""
        return {}

    def requires_command(self, service: str, destination: str = "") -> str:
        """Without Docker nothing runs."""
        return "docker"

    def command(self, service: str, destination: str = "") -> StringCommand:
        """All running containers of the service; labels tell role and destination.

        Args:
            service: the value of the ``service`` label.
            destination: the value of the ``destination`` label; empty without destination.
        """
        return StringCommand(
            "ids=$(docker ps --quiet --filter",
            QuoteString(f"label=service={service}"),
            "--filter",
            QuoteString(f"label=destination={destination}"),
            ') || exit 1; [ -z "$ids" ] || docker inspect --format \'',
            '{"created":{{json .Created}},"role":{{json (index .Config.Labels "role")}},'
            '"destination":{{json (index .Config.Labels "destination")}},"env":[{{range .Config.Env}}'
            '{{if eq (index (split . "=") 0) "KAMAL_VERSION"}}{{json .}},{{end}}{{end}}null]}',
            "' $ids",
        )

    def process(self, output: list[str]) -> dict[str, list[str]]:
        """One JSON object a line."""
        versions: dict[str, list[str]] = {}
        for row in sorted((json.loads(line) for line in output), key=lambda row: row["created"], reverse=True):
            names = [text.removeprefix("KAMAL_VERSION=") for text in row["env"] if text]
            if row["role"] and names:
                versions.setdefault(row["role"], []).append(names[0])
        return versions
