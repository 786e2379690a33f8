"""The script that prints everything the plan needs to know about a host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, OWNER_LABEL, PROXY_CONTAINER
from kamal_pyinfra.plan.compare.options import OPTIONS, RESTART
from kamal_pyinfra.plan.state.digest import FACTOR, FIRST, MODULUS, digest_lines
from kamal_pyinfra.shell import host as edits
from kamal_pyinfra.shell.script import BRIEF_CLIENT, functions, quoted

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
    "command": "{{if $isCompared}}{{json .Config.Cmd}}{{else}}null{{end}}",
    "healthcheck": "{{if $isCompared}}{{json .Config.Healthcheck}}{{else}}null{{end}}",
    "mounts": "{{json .Mounts}}",
    "ports": "{{json .HostConfig.PortBindings}}",
    "log": "{{json .HostConfig.LogConfig}}",
    "options": "{" + ",".join(f'"{name}":{template}' for name, template in OPTION_FIELDS.items()) + "}",
}


@dataclass(frozen=True, kw_only=True)
class Ours:
    """By what a container is known as ours; of all others neither variables nor commands leave the host.

    Args:
        service: the value of the ``service`` label.
        destination: that of the ``destination`` label.
        owner: ``SERVICE[-DESTINATION]``, the owner of a proxy.
        accessories: ``OWNER/NAME`` of each accessory.
        names: containers that Kamal gives no label of ours: the proxy and accessories.
    """

    service: str
    destination: str
    owner: str
    accessories: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


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


_IDENTITY = f"(and $isService (eq $name {' '.join(map(json.dumps, IDENTITY_VARIABLES))}))"

_CLEAR = '(and $isOurs (eq (len (split $name ",")) 1) (gt (len (split $clear (printf ",%s," $name))) 1))'


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


IMAGE_TEMPLATE = (
    'image-defaults {"id":{{json .ID}},"labels":{{json .Config.Labels}},"command":{{json .Config.Cmd}},'
    '"healthcheck":{{json .Config.Healthcheck}},"env":['
    '{{range .Config.Env}}{{json (index (split . "=") 0)}},{{end}}null]}'
)


def sums_template(watched: Sequence[str], clear: Sequence[str]) -> str:
    """A Go template that prints variables of a container of ours, to come after that of the container.

     What it prints stays on the host, where it becomes one digest and a small number for each variable
    : ``mine ID``, then ``held ID NAME=VALUE`` with the first line of a
     value alone, so that no line begins with anything else, and ``clear ID HEX NAME``.

     Args:
         watched: variables that are secret somewhere.
         clear: variables that are clear today.
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


# 16 bits for each line tell which secret changed, and nothing more (plan/secret_checks.py has the same sum).
SUMS = f"""BEGIN {{ for (i = 1; i < 256; i++) byte[sprintf("%c", i)] = i }}
function sum(line, n, i) {{
  n = {FIRST}; for (i = 1; i <= length(line); i++) n = (n * {FACTOR} + byte[substr(line, i, 1)]) % {MODULUS}
  return n
}}
function say(kind, line, owner) {{
  if (index(line, "=")) print kind, sum(line), substr(line, 1, index(line, "=") - 1), owner
}}"""

# One process for all containers, for a look is mostly the start of processes.
_CONTAINERS = f"""printf '%s\\n' "$all" | LC_ALL=C sort | LC_ALL=C awk '{SUMS}
/^container / {{ print }}
/^clear / {{ print "clear-check", sum($3), $4, $2 }}
"""

CONTAINERS_AND_SUMS = f"{_CONTAINERS}'"
"""Prints what the template printed, with numbers for clear variables."""

# Nothing of a value is printed: what `sha256sum` reads comes through a pipe.
CONTAINERS_AND_SECRETS = f"""{_CONTAINERS}
/^mine / {{ ids[++count] = $2 }}
/^held / {{
  line = substr($0, 6); id = substr(line, 1, index(line, " ") - 1); line = substr(line, length(id) + 2)
  held[id, ++lines[id]] = line; say("check", line, id)
}}
END {{
  for (i = 1; i <= count; i++) {{
    printf "secrets %s ", ids[i]
    if (!lines[ids[i]]) {{ print "{digest_lines(())}"; continue }}
    fflush(); for (n = 1; n <= lines[ids[i]]; n++) print held[ids[i], n] | "sha256sum"
    close("sha256sum")
  }}
}}'"""
"""The same, with a digest of the secrets of each container of ours, and a number for each secret."""

KINDS = (
    *("user", "home", "directory", "file", "file-check", "cord", "assets", "env-file", "upload", "record", "lock"),
    *("lock-mark", "login", "docker", "docker-missing", "docker-error", "docker-other", "container", "secrets"),
    *("check", "clear-check", "image-defaults", "image-age", "now", "edited", "image", "end"),
)
"""What a line of the script's output can begin with."""


@dataclass(frozen=True, kw_only=True)
class SnapshotQuery:
    """What to look for on a host besides containers.

    Args:
        ours: whose variables the plan compares.
        clear_names: variables that are clear today, of which containers say whether they changed. Whether a value may
            be shown is what the container itself says.
        watched_names: secret variables, of which containers say whether they changed.
        env_files: paths of the env files that should be there.
        record: path of what the last run wrote down.
        edits: folder with what containers had changed of their image by then.
        accessory_images: references of the accessories' images.
        uploads: paths of the accessories' uploaded files.
        logs: paths of files of which only the presence counts.
        names: of containers that are looked at although they may not be ours.
        lock: the lock directory, on every host: only the primary's counts, the others' is simply absent.
    """

    service: str
    repository: str
    proxy_image: str
    registry: str
    run_directory: str
    lock: str
    directories: tuple[str, ...]
    env_files: tuple[str, ...]
    ours: Ours
    clear_names: tuple[str, ...] = ()
    watched_names: tuple[str, ...] = ()
    record: str = ""
    edits: str = ""
    logs: tuple[str, ...] = ()
    accessory_images: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def snapshot(query: SnapshotQuery) -> str:
    """The script; it changes nothing and exits 0 also when Docker is missing or silent."""
    needed = ("engine", "lock_content", "lock_left", "lock_mark", *(("find_edits",) if query.edits else ()))
    return f"{BRIEF_CLIENT}{functions(*needed)}" + "\n".join(
        (
            'printf "user %s\\nhome %s\\n" "$(id -un)" "$PWD"',
            _files(query),
            "command -v docker > /dev/null || { files; echo docker-missing; echo end; exit 0; }",
            "{",
            "files",
            _engine(query),
            "} | {",
            _containers(query),
            _ages(query.repository),
            "} || exit 1",
            "echo end",
        )
    )


def _files(query: SnapshotQuery) -> str:
    """A shell function that tells what Docker need not be asked for."""
    parts = (
        *map(_directory, query.directories),
        _env_files(query.env_files),
        *map(_upload, query.uploads),
        *map(_log, query.logs),
        _listing(query.run_directory),
        _record(query.record),
        _lock(query.lock),
        _login(query.registry),
    )
    return "\n".join(("files() {", *filter(None, parts), "}"))


def _engine(query: SnapshotQuery) -> str:
    """Beside the look at containers; the pipe keeps what it says until that is through."""
    return "\n".join(
        (
            "if engine; then",
            _images(query),
            edits.find_edits(query.edits) if query.edits else "",
            "fi",
        )
    )


LARGEST_UPLOAD = 256 * 1024 * 1024
"""Bytes of an accessory's file that are read; a longer one is taken for another file, and sent anew."""

# Also where it answered a moment ago: of an engine that goes meanwhile, nothing that was printed counts.
SILENT = 'printf "docker-error %s\\n" "$(echo "{}" | tr \'\\n\' \' \')"'

# Labels and names inside the JSON may look like an id: only one that is alone on its line counts, and its shape is
# checked before it becomes a word of a command.
IMAGE_DEFAULTS = (
    f"used=$(printf '%s\\n' \"$all\" | LC_ALL=C sed -n 's/^{USED}\\(sha256:[0-9a-f]\\{{64\\}}\\)$/\\1/p' | sort -u)\n"
    f'[ -z "$used" ] || docker image inspect --format {quoted(IMAGE_TEMPLATE)} -- $used 2> /dev/null || true'
)


def _listed(names: tuple[str, ...]) -> str:
    """What ``docker ps`` prints of a container that is looked at: its id. Who links to it gives it more names."""
    ours = " ".join(f'"{name}"' for name in (PROXY_CONTAINER, *names))
    return (
        '{{if .Label "service"}}{{.ID}}{{else}}{{range split .Names ","}}'
        f"{{{{if eq . {ours}}}}}{{{{$.ID}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}"
    )


def _record(path: str) -> str:
    if not path:
        return ""
    target = quoted(path)
    return f"[ ! -f {target} ] || printf 'record %s\\n' \"$(tr -d '\\n' < {target})\""


def _directory(path: str) -> str:
    return f"[ ! -d {quoted(path)} ] || echo {quoted(f'directory {path}')}"


def _env_files(paths: tuple[str, ...]) -> str:
    if not paths:
        return ""
    return (
        f'set --; for path in {quoted(*paths)}; do [ ! -f "$path" ] || set -- "$@" "$path"; done\n'
        '[ $# -eq 0 ] || { sha256sum "$@" | for mode in $(stat -c %a "$@"); do\n'
        'read -r digest path; printf "file %s %s %s\\n" "$digest" "$mode" "$path"; done\n'
        f"LC_ALL=C awk '{SUMS}\n"
        '{ say("file-check", $0, FILENAME) }\' "$@"; }'
    )


def _log(path: str) -> str:
    return f"[ ! -f {quoted(path)} ] || echo {quoted(f'file - - {path}')}"


def _upload(path: str) -> str:
    target = quoted(path)
    # A container may mount it writable: what it made a link is not what was uploaded; what it made huge is not read.
    return (
        f"[ ! -f {target} ] || [ -L {target} ] || printf 'upload %s %s %s\\n' "
        f'"$(head -c {LARGEST_UPLOAD} {target} | sha256sum | cut -c1-64)" "$(stat -c %a {target})" {target}'
    )


def _listing(run_directory: str) -> str:
    base = quoted(run_directory)
    return (
        f'for path in {base}/cords/*; do [ ! -d "$path" ] || '
        '{ [ -f "$path/cord" ] && [ ! -L "$path/cord" ] && echo "cord tied $path" || echo "cord cut $path"; }; done\n'
        f'for path in {base}/env/roles/*.env; do [ ! -f "$path" ] || echo "env-file $path"; done\n'
        f"for path in {base}/assets/extracted/* {base}/assets/volumes/*; do "
        '[ ! -d "$path" ] || echo "assets $path"; done'
    )


def _lock(directory: str) -> str:
    target = quoted(directory)
    shown = f'"lock $(lock_content {target}) $(lock_left {target})"'
    return f'echo "lock-mark $(lock_mark {target})"\n[ ! -d {target} ] || echo {shown}'


def _login(server: str) -> str:
    key = quoted(f'"{server or "https://index.docker.io/v1/"}"')
    return f'! grep -qsF {key} "${{DOCKER_CONFIG:-$HOME/.docker}}/config.json" || echo login'


def _containers(query: SnapshotQuery) -> str:
    template = container_template(query.ours) + sums_template(query.watched_names, query.clear_names)
    # A container may vanish between the two commands; then the look is taken again.
    return (
        f"template={quoted(template)}\n"
        f"look() {{ found=$(docker ps --all --no-trunc --format {quoted(_listed(query.names))}) || return 1; "
        '[ -z "$found" ] || docker inspect --format "$template" $(echo "$found" | sort -u); }\n'
        "all=$(look 2> /dev/null) || all=$(look 2> /dev/null) || "
        f"if error=$(version_of_engine 2>&1 > /dev/null); then all=$(look) || exit 1\n"
        f"else all=; {SILENT.format('$error')}; fi\n"
        f"{CONTAINERS_AND_SECRETS if query.watched_names else CONTAINERS_AND_SUMS}\n{IMAGE_DEFAULTS}"
    )


AGED = 100
"""So many of the newest images are asked for their age."""

AGE_TEMPLATE = "image-age {{.ID}} {{.Metadata.LastTagTime.Unix}} {{.Created}}"
"""When an image was built, and when it last got a tag on this host; before the year 1 if it was only pulled."""

# Where each version has a container, and a tag alone, none of them is in anybody's way: then nothing is asked.
UNUSED_IDS = """index($0, of) == 1 && $NF ~ /^sha256:[0-9a-f]+$/ && length($NF) == 71 {
  if (substr($0, length(of) + 1) !~ /^(latest[- ]|<none> )/ && !tags[$NF]++) ids[++count] = $NF
}
END { for (i = 1; i <= count; i++) if (tags[ids[i]] > 1 || !index(used, " " ids[i] " ")) print ids[i] }"""


def _ages(repository: str) -> str:
    """Print what came from the pipe, then the ages of versions that may be surplus; it needs ``used``."""
    return (
        "lines=$(cat); printf '%s\\n' \"$lines\"\n"
        f"ids=$(printf '%s\\n' \"$lines\" | LC_ALL=C awk -v {quoted(f'of=image {repository}:')} "
        f"-v used=\" $(echo $used) \" '{UNUSED_IDS}' | head -n {AGED})\n"
        f'[ -z "$ids" ] || {{ docker image inspect --format {quoted(AGE_TEMPLATE)} -- $ids 2> /dev/null\n'
        'echo "now $(date +%s)"; }'
    )


def _images(query: SnapshotQuery) -> str:
    references = (query.repository, query.proxy_image, *query.accessory_images)
    filters = " ".join(quoted("--filter", f"reference={reference}") for reference in references)
    listing = f"docker image ls --no-trunc {filters} --format 'image {{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}'"
    return f"{listing} || echo docker-error the images cannot be listed"
