"""Small facts: engine, running versions, cords."""

from __future__ import annotations

import json

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase

from kamal_pyinfra.shell.login_shell import plain
from kamal_pyinfra.shell.script import functions, quoted


class DockerInstalled(FactBase[bool]):
    """Whether the host has Docker: ``True``. An engine that does not answer the SSH user is an error.

    Another engine that is called by the same name, such as Podman, is not Docker.
    """

    default = bool

    def command(self) -> str:
        """Ask the engine for its name and version; a host without the program or with another's has none."""
        ask = 'found=$(engine); case $found in docker-error*) echo "$found" >&2; exit 1 ;; *) echo "$found" ;; esac'
        return plain(f"{functions('engine')}if command -v docker > /dev/null; then {ask}; fi")

    def process(self, output: list[str]) -> bool:
        """Any version will do; other lines are the login shell's."""
        return any(line.startswith("docker ") and line.removeprefix("docker ").strip() for line in output)


class RunningVersions(FactBase[dict[str, list[str]]]):
    """Versions of a service that run on the host, newest first, by role: ``{"web": ["abc123"]}``.

    A Docker engine that does not answer is an error, not an empty answer.
    """

    default = dict

    def requires_command(self, service: str, destination: str = "") -> str:
        """Without Docker nothing runs."""
        return "docker"

    def command(self, service: str, destination: str = "") -> StringCommand:
        """Inspect the running containers whose labels are ``service`` and ``destination``."""
        labels = quoted("--filter", f"label=service={service}", "--filter", f"label=destination={destination}")
        template = (
            'version {"created":{{json .Created}},"role":{{json (index .Config.Labels "role")}},'
            '"destination":{{json (index .Config.Labels "destination")}},"env":[{{range .Config.Env}}'
            '{{if eq (index (split . "=") 0) "KAMAL_VERSION"}}{{json .}},{{end}}{{end}}null]}'
        )
        script = f"ids=$(docker ps --quiet {labels}) || exit 1; "
        return StringCommand(plain(f'{script}[ -z "$ids" ] || docker inspect --format {quoted(template)} $ids'))

    def process(self, output: list[str]) -> dict[str, list[str]]:
        """One JSON object a line; other lines are the login shell's."""
        versions: dict[str, list[str]] = {}
        lines = [line.strip() for line in output]
        rows = [json.loads(line.removeprefix("version ")) for line in lines if line.startswith("version {")]
        for row in sorted(rows, key=lambda row: row["created"], reverse=True):
            names = [text.removeprefix("KAMAL_VERSION=") for text in row["env"] if text]
            if row["role"] and names:
                versions.setdefault(row["role"], []).append(names[0])
        return versions


class CordState(FactBase[dict[str, bool]]):
    """Cord directories and whether the cord in them is tied: ``{".kamal/cords/shop-web-0f…": True}``.

    A folder that cannot be read is an error, not an empty answer.
    """

    default = dict

    def command(self, run_directory: str = ".kamal") -> StringCommand:
        """List the directories below ``run_directory``."""
        folder = f"{quoted(run_directory)}/cords"
        script = (
            f"[ ! -e {folder} ] || ls {folder} > /dev/null || exit 1; for path in {folder}/*; "
            'do [ ! -d "$path" ] || { [ -f "$path/cord" ] && echo "cord tied $path" || echo "cord cut $path"; }; done'
        )
        return StringCommand(plain(script))

    def process(self, output: list[str]) -> dict[str, bool]:
        """A state and a path a line; other lines are the login shell's."""
        rows = (line.removeprefix("cord ").partition(" ") for line in output if line.startswith("cord "))
        return {path: state == "tied" for state, _, path in rows if state in {"tied", "cut"}}
