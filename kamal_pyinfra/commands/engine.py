"""Which engine answers to ``docker``: its version, told from what else is printed, and whether it is Docker's."""

from __future__ import annotations

VERSION = (
    "docker version --format '{{.Server.Version}}"
    '{{range .Server.Components}}{{if eq .Name "Podman Engine"}} podman{{end}}{{end}}\''
)
"""Podman's engine names itself to Docker's client. Podman's own client, which is called ``docker`` by the package
podman-docker, knows no components, so that it fails here and is asked for its name."""

ENGINE = f"""engine() {{
  if version=$(LIMIT{VERSION} 2>&1); then
    case "$version" in *[!0-9A-Za-z.+~-]*)
      version=$(printf '%s\\n' "$version" | sed -n '/^[0-9][0-9A-Za-z.+~-]*\\( podman\\)*$/p' | tail -n 1) ;;
    esac
    case "$version" in
      *' podman'*) echo 'docker-other podman'; return 1 ;;
      ?*) printf 'docker %s\\n' "$version"; return 0 ;;
    esac
  fi
  case "$(docker --version 2> /dev/null)" in
    podman*) echo 'docker-other podman' ;;
    *) printf 'docker-error %s\\n' "$(echo "$version" | tr '\\n' ' ')" ;;
  esac
  return 1
}}
"""


def engine_function(*, seconds: int | None = None) -> str:
    """The shell function ``engine``: it prints one line, and fails unless that is Docker's version.

    The line is ``docker VERSION``, ``docker-other NAME`` for another engine, or ``docker-error TEXT``. A client that
    cannot read its own configuration, say, prints that beside the version.

    Args:
        seconds: after which an engine that does not answer is given up.
    """
    return ENGINE.replace("LIMIT", "" if seconds is None else f"timeout {seconds} ")
