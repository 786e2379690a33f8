"""Accessories on a host: their files, their containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as fields_replaced

from kamal_pyinfra.naming import ACCESSORY_LABEL
from kamal_pyinfra.plan.desired.accessory import WORKING_FOLDER
from kamal_pyinfra.plan.docker_values import split_command
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.desired import AccessoryContainer
from kamal_pyinfra.shell.container import (
    SERVICE,
    docker_run,
    docker_run_once,
    environment,
    labels,
    logging,
    pull_if_missing,
)
from kamal_pyinfra.shell.host import CUT_SHORT, receive
from kamal_pyinfra.shell.script import ABSENT, chain, join, quoted


def run(accessory: AccessoryContainer) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels."""
    hiding = hiding_labels(accessory.labels, accessory.options)
    run = docker_run(
        accessory,
        quoted("--name", accessory.name),
        SERVICE,
        logging(accessory),
        quoted("--publish", accessory.publish) if accessory.publish else "",
        _surroundings(accessory),
        labels(accessory, *hiding, own=((ACCESSORY_LABEL, accessory.owner),)),
    )
    return f"{run} > /dev/null"


def _surroundings(accessory: AccessoryContainer) -> str:
    return join(environment(accessory), *(f"--volume {_volume(volume)}" for volume in accessory.volumes))


def _volume(volume: str) -> str:
    if volume.startswith(WORKING_FOLDER):
        return f'"$PWD"/{quoted(volume.removeprefix(WORKING_FOLDER))}'
    return quoted(volume)


def replace(accessory: AccessoryContainer) -> str:
    """Replace the container; the image is there before the old one stops. Volumes and folders stay."""
    return chain(
        pull_if_missing(accessory.image),
        stop(accessory.name),
        remove(accessory.name),
        run(accessory),
    )


def make_directories(paths: Sequence[str]) -> str:
    """Create an accessory's folders, which a container of any user can reach whatever the umask."""
    return f"( umask 022 && mkdir -p {quoted(*paths)} )"


# The accessory may mount a folder on the way writable, and put a link there: so each step down is looked at, and the
# file is written under a second name outside, which nobody can put anything else in place of.
WRITE_FILE = """( umask 077; draft=$PWD/.{base}.upload; same=$PWD/.{base}.same; rm -f "$draft" "$same"
stop() {{ rm -f "$draft" "$same"; [ -z "$1" ] || echo {path}": $1" >&2; exit 1; }}
{{ {receive}; }} || stop {cut_short}
umask 022; mkdir -p ./{base} && cd -P ./{base} || stop
for part in {parts}; do
  [ -d "./$part" ] || mkdir "./$part" || stop; below=$PWD/$part
  cd -P "./$part" && [ "$PWD" = "$below" ] || stop "$below is a link, maybe of a container; remove it"
done
chmod 755 "$draft"
if ln ./{name} "$same" 2> /dev/null && [ -f "$same" ] && [ ! -L "$same" ]; then
  cat "$draft" > "$same" && chmod 755 "$same" || stop
else mv -fT "$draft" ./{name} || stop; fi
rm -f "$draft" "$same" )"""


def write_file(path: str) -> str:
    """Put base64 from standard input, after the length of what it stands for, into a file of mode 755 (Kamal 1.9).

    The file stays the same one, so that a container that mounts it sees the new content.

    Args:
        path: relative; its first part is the accessory's folder.
    """
    base, *parts, name = path.split("/")
    return WRITE_FILE.format(
        base=quoted(base),
        path=quoted(path),
        parts=quoted(*parts),
        name=quoted(name),
        receive=receive('"$draft"', decode="base64 -d"),
        cut_short=quoted(CUT_SHORT),
    )


def start(container: str) -> str:
    """Start the container that is there."""
    return f"docker start {quoted(container)} > /dev/null"


def stop(container: str) -> str:
    """Stop the container, running or not."""
    return f"docker stop {quoted(container)} > /dev/null"


def remove(container: str) -> str:
    """Remove the stopped container; its named volumes stay."""
    return f"docker rm {quoted(container)} > /dev/null"


def remove_image(image: str) -> str:
    """Remove the image unless a container of whomever uses it."""
    users = f"docker ps --all --quiet --filter {quoted(f'ancestor={image}')}"
    is_there = f"error=$(docker image inspect {quoted(image)} 2>&1 > /dev/null)"
    removed = f"docker image rm {quoted(image)} > /dev/null"
    absent = f'case "$error" in {ABSENT}) ;; *) echo "$error" >&2; false ;; esac'
    return f'{{ users=$({users}) && {{ [ -n "$users" ] || if {is_there}; then {removed}; else {absent}; fi; }}; }}'


def execute(accessory: AccessoryContainer, command: str, *, is_reused: bool, is_terminal: bool = False) -> str:
    """Run a command in the container that is there, or in a new one with its environment and volumes."""
    arguments = quoted(*split_command(command))
    terminal = "-it" if is_terminal else ""
    if is_reused:
        return join("docker exec", terminal, quoted(accessory.name), arguments)
    once = fields_replaced(accessory, options=())
    return docker_run_once(once, terminal, "--rm", _surroundings(accessory), command=arguments)
