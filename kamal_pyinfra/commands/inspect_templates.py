"""Go templates for ``docker inspect``: what the plan wants to know of a container or an image, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.plan.options import OPTIONS, RESTART

IDENTITY_VARIABLES = ("KAMAL_VERSION",)

OF_IMAGE = ("User", "WorkingDir", "StopSignal")
"""Options that ``docker inspect`` shows below ``Config``; the others are below ``HostConfig``."""

USED = "of-image "
"""Begins the line with the id of a container's image; the host reads it, it is not part of the snapshot."""

GO_NAMES = {"NanoCpus": "NanoCPUs", "CpuShares": "CPUShares", "Dns": "DNS"}
"""Fields that a template knows by another name than the one in the JSON of ``docker inspect``."""


def _option_template(field: str) -> str:
    parent = "Config" if field in OF_IMAGE else "HostConfig"
    return f"{{{{json .{parent}.{GO_NAMES.get(field, field)}}}}}"


OPTION_FIELDS = {
    **{option.field: _option_template(option.field) for option in OPTIONS},
    RESTART: "{{json .HostConfig.RestartPolicy.Name}}",
}

CONTAINER_FIELDS = {
    "id": "{{json .ID}}",
    "name": "{{json .Name}}",
    "created": "{{json .Created}}",
    "image": "{{json .Config.Image}}",
    "image_id": "{{json .Image}}",
    "status": "{{json .State.Status}}",
    "started": "{{json .State.StartedAt}}",
    "health": "{{if .State.Health}}{{json .State.Health.Status}}{{else}}null{{end}}",
    "restarts": "{{.RestartCount}}",
    "labels": "{{json .Config.Labels}}",
    "command": "{{json .Config.Cmd}}",
    "healthcheck": "{{json .Config.Healthcheck}}",
    "mounts": "{{json .Mounts}}",
    "ports": "{{json .HostConfig.PortBindings}}",
    "log": "{{json .HostConfig.LogConfig}}",
    "options": "{" + ",".join(f'"{name}":{template}' for name, template in OPTION_FIELDS.items()) + "}",
}


def container_template(clear_names: Sequence[str]) -> str:
    """A Go template that prints a container's image, then the container as JSON, without values that may be secret."""
    shown = _quoted((*IDENTITY_VARIABLES, *clear_names))
    env = (
        '{{range .Config.Env}}{{$name := index (split . "=") 0}}'
        f"{{{{if eq $name {shown}}}}}{{{{json .}}}}{{{{else}}}}{{{{json $name}}}}{{{{end}}}},{{{{end}}}}null"
    )
    fields = ",".join(f'"{name}":{template}' for name, template in CONTAINER_FIELDS.items())
    return f'{USED}{{{{println .Image}}}}container {{{fields},"env":[{env}]}}'


IMAGE_TEMPLATE = (
    'image-defaults {"id":{{json .ID}},"labels":{{json .Config.Labels}},"command":{{json .Config.Cmd}},'
    '"healthcheck":{{json .Config.Healthcheck}},"env":['
    '{{range .Config.Env}}{{json (index (split . "=") 0)}},{{end}}null]}'
)


def watched_template(names: Sequence[str]) -> str:
    """A Go template that prints the watched variables of a container, each after ``held`` and the container's id.

    What it prints stays on the host: there it becomes one digest, and a small number for each variable. Only the first
    line of a value is printed, so that no line begins with anything else.
    """
    if not names:
        return ""
    first_line = '{{println (index (split . "\\n") 0)}}'
    return (
        "{{println}}{{$id := .ID}}{{range .Config.Env}}"
        f'{{{{if eq (index (split . "=") 0) {_quoted(names)}}}}}held {{{{$id}}}} {first_line}{{{{end}}}}{{{{end}}}}'
    )


def _quoted(names: Sequence[str]) -> str:
    return " ".join(f'"{name}"' for name in names if '"' not in name)
