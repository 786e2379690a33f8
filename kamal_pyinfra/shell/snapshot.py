"""The script that prints everything the plan needs to know about a host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, OWNER_LABEL, PROXY_CONTAINER
from kamal_pyinfra.plan.compare.fields import OPTIONS, RESTART
from kamal_pyinfra.shell.script import BRIEF_CLIENT, quoted, with_functions

OF_IMAGE = ("User", "WorkingDir", "StopSignal")
"""Options that ``docker inspect`` shows below ``Config``; the others are below ``HostConfig``."""
USED = "of-image "
"""Begins the line with the id of a container's image; the host reads it, it is not part of the snapshot."""
GO_NAMES = {"NanoCpus": "NanoCPUs", "CpuShares": "CPUShares", "Dns": "DNS"}
"""Fields that a template knows by another name than the one in the JSON of ``docker inspect``."""

OPTION_FIELDS = {
    field: f"{{{{json .{'Config' if field in OF_IMAGE else 'HostConfig'}.{GO_NAMES.get(field, field)}}}}}"
    for field in (option.field for option in OPTIONS)
} | {RESTART: "{{json .HostConfig.RestartPolicy.Name}}"}

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
    "command": "{{if $isCompared}}{{json .Config.Cmd}}{{else}}null{{end}}",
    "healthcheck": "{{if $isCompared}}{{json .Config.Healthcheck}}{{else}}null{{end}}",
    "mounts": "{{json .Mounts}}",
    "ports": "{{json .HostConfig.PortBindings}}",
    "log": "{{json .HostConfig.LogConfig}}",
    "options": "{" + ",".join(f'"{name}":{template}' for name, template in OPTION_FIELDS.items()) + "}",
}
_IDENTITY = '(and $isService (eq $name "KAMAL_VERSION"))'
_CLEAR = '(and $isOurs (eq (len (split $name ",")) 1) (gt (len (split $clear (printf ",%s," $name))) 1))'
IMAGE_TEMPLATE = (
    'image-defaults {"id":{{json .ID}},"labels":{{json .Config.Labels}},"command":{{json .Config.Cmd}},'
    '"healthcheck":{{json .Config.Healthcheck}},"env":['
    '{{range .Config.Env}}{{json (index (split . "=") 0)}},{{end}}null]}'
)
KINDS = (
    *("user", "home", "directory", "file", "file-check", "cord", "assets", "env-file", "upload", "record", "lock"),
    *("lock-mark", "login", "docker", "docker-missing", "docker-error", "docker-other", "container", "secrets"),
    *("check", "clear-check", "image-defaults", "image-age", "now", "edited", "image", "end"),
)
"""What a line of the script's output can begin with."""


@dataclass(frozen=True, kw_only=True)
class Ours:
    """By what a container is known as ours; of all others neither variables nor commands leave the host."""

    service: str  # the value of its label
    destination: str  # the same
    owner: str  # of a proxy: ``SERVICE[-DESTINATION]``
    accessories: tuple[str, ...] = ()  # ``OWNER/NAME`` of each
    names: tuple[str, ...] = ()  # of those that Kamal gives no label of ours: the proxy and accessories


def container_template(ours: Ours) -> str:
    """A Go template that prints a container's image, then the container as JSON.

    A variable has its value only where the container is ours and its own label says that the value is clear, whatever
    the configuration of today says: it may be a secret of yesterday.
    """
    env = (
        '{{range .Config.Env}}{{$name := index (split . "=") 0}}'
        f"{{{{if (or {_IDENTITY} {_CLEAR})}}}}{{{{json .}}}}{{{{else}}}}{{{{json $name}}}}{{{{end}}}},{{{{end}}}}null"
    )
    fields = ",".join(f'"{name}":{template}' for name, template in CONTAINER_FIELDS.items())
    return f'{_whose(ours)}{USED}{{{{println .Image}}}}container {{{fields},"env":[{env}]}}'


def _whose(ours: Ours) -> str:
    """Variables for the templates: whether a container is ours by its labels, or is one that the plan compares."""
    app = (
        f"(eq {_label('service')} {json.dumps(ours.service)}) "
        f'(eq {_label("destination")} {json.dumps(ours.destination)}) (ne {_label("role")} "")'
    )
    accessory = f"(eq {_label(ACCESSORY_LABEL)} {_quoted(ours.accessories)})" if ours.accessories else ""
    names = f"(eq .Name {_quoted([f'/{name}' for name in ours.names])})" if ours.names else ""
    return (
        f"{{{{$isService := (eq {_label('service')} {json.dumps(ours.service)})}}}}"
        f"{{{{$isOurs := (or (and {app}) (eq {_label(OWNER_LABEL)} {json.dumps(ours.owner)}) {accessory})}}}}"
        f'{{{{$isCompared := (or $isOurs {names})}}}}{{{{$clear := printf ",%s," {_label(CLEAR_LABEL)}}}}}'
    )


def _label(name: str) -> str:
    return f'(index .Config.Labels "{name}")'


def sums_template(watched: Sequence[str], clear: Sequence[str]) -> str:
    """A Go template that prints variables of a container of ours, to come after that of the container.

    What it prints stays on the host, where it becomes one digest and a small number for each variable: ``mine ID``,
    then ``held ID NAME=VALUE`` with the first line of a value alone, so that no line begins with anything else, for
    those watched, which are secret somewhere, and ``clear ID HEX NAME`` for those that are clear today.
    """
    first_line = '{{println (index (split . "\\n") 0)}}'
    held = f"{{{{if eq $name {_quoted(watched)}}}}}held {{{{$id}}}} {first_line}{{{{end}}}}" if watched else ""
    names = _quoted(clear)
    sums = f'{{{{if eq $name {names}}}}}clear {{{{$id}}}} {{{{printf "%x" .}}}} {{{{println $name}}}}{{{{end}}}}'
    return (
        "{{println}}{{$id := .ID}}{{if $isCompared}}mine {{println $id}}{{range .Config.Env}}"
        f'{{{{$name := index (split . "=") 0}}}}{held}{sums if names else ""}{{{{end}}}}{{{{end}}}}'
    )


def _quoted(names: Sequence[str]) -> str:
    return " ".join(json.dumps(name, ensure_ascii=False) for name in names if not {'"', "\\", "\n"} & {*name})


@dataclass(frozen=True, kw_only=True)
class SnapshotQuery:
    """What the snapshot has to show of a host."""

    repository: str
    proxy_image: str
    registry: str
    run_directory: str
    lock: str  # its directory, on every host: only the primary's counts, and the others have none
    directories: tuple[str, ...]
    env_files: tuple[str, ...]  # that should be there
    ours: Ours  # whose variables the plan compares
    clear_names: tuple[str, ...] = ()  # variables that are clear today, of which containers show whether they changed
    watched_names: tuple[str, ...] = ()  # secret ones, of which they show the same
    record: str = ""  # of the last run
    edits: str = ""  # folder with what containers had changed of their image by then
    logs: tuple[str, ...] = ()  # files of which only the presence counts
    accessory_images: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of containers that are inspected although they may not be ours


def snapshot(query: SnapshotQuery) -> str:
    """The script; it changes nothing and exits 0 also when Docker is missing or silent."""
    images = (query.repository, query.proxy_image, *query.accessory_images)
    template = container_template(query.ours) + sums_template(query.watched_names, query.clear_names)
    secrets = "secrets" if query.watched_names else ""
    files = (  # Docker need not be asked for these
        ("show_directories", query.directories),
        ("show_env_files", query.env_files),
        ("show_uploads", query.uploads),
        ("show_logs", query.logs),
        ("show_run_directory", (query.run_directory,)),
        ("show_record", (query.record,) if query.record else ()),
        ("show_deploy_lock", (query.lock,)),
        ("show_login", (f'"{query.registry or "https://index.docker.io/v1/"}"',)),
    )
    lines = (
        "show_files() {",
        *(f"{show} {quoted(*paths)}" for show, paths in files if paths),
        "}\nshow_of_engine() {",
        f"show_images {quoted(*images)}",
        f"find_edits {quoted(query.edits)}" if query.edits else ":",
        "}",
        f"take_snapshot {quoted(query.repository, _listed(query.names), template, IMAGE_TEMPLATE, secrets)}",
    )
    return BRIEF_CLIENT + with_functions("\n".join(lines))


def _listed(names: tuple[str, ...]) -> str:
    """A Go template of what ``docker ps`` prints of a container that is inspected: its id."""
    ours = " ".join(f'"{name}"' for name in (PROXY_CONTAINER, *names))
    return (
        '{{if .Label "service"}}{{.ID}}{{else}}{{range split .Names ","}}'
        f"{{{{if eq . {ours}}}}}{{{{$.ID}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}"
    )
