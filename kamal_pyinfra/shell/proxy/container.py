"""Running and replacing the proxy container, one change at a time."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.naming import DIGEST_LABEL, OWNER_LABEL, PROXY_CONTAINER
from kamal_pyinfra.plan.fleet_state import SILENT
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.proxy.traefik import prompt_arguments, proxy_arguments
from kamal_pyinfra.plan.state.desired import Proxy
from kamal_pyinfra.shell.container import SERVICE, docker_run, environment, labels, logging, volumes
from kamal_pyinfra.shell.health import PRINTABLE, STATE_FORMAT
from kamal_pyinfra.shell.proxy.gate import ask_gates, gate_functions, note_gates, question
from kamal_pyinfra.shell.proxy.traefik import THROTTLE_SECONDS
from kamal_pyinfra.shell.script import ABSENT, chain, words


def run(proxy: Proxy) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels."""
    run = docker_run(
        proxy,
        words("--name", proxy.name),
        SERVICE,
        words("--publish", proxy.publish) if proxy.publish else "",
        volumes(proxy),
        environment(proxy),
        logging(proxy),
        labels(proxy, own=((OWNER_LABEL, proxy.owner),)),
        command=words(*proxy_arguments(proxy), *prompt_arguments(proxy)),
    )
    return f"{run} > /dev/null"


def start(name: str) -> str:
    """Start the stopped container."""
    return f"docker start {words(name)} > /dev/null"


def stop(name: str) -> str:
    """Stop the container; it stays as it is."""
    return f"docker stop {words(name)} > /dev/null"


def remove(name: str) -> str:
    """Stop and remove the container."""
    return chain(stop(name), f"docker rm {words(name)} > /dev/null")


def have_image(proxy: Proxy) -> str:
    """Fetch the image unless it is there."""
    image = words(proxy.image)
    return f"{{ docker image inspect {image} > /dev/null 2>&1 || docker pull --quiet {image} > /dev/null; }}"


CHANGED = "another run has changed the proxy meanwhile; run the same command again"

WAIT_SECONDS = 600
"""Another run may be pulling the proxy's image."""

MOST_FILES = 100

LOCK_FOLDER = "/run/lock"
"""Where every user may make files, on Debian and Ubuntu; ``/tmp`` where it is not so."""

# A file comes into place by `ln`, with its group and mode: one without them would count as another user's.
_ALONE = """if command -v flock > /dev/null; then
at={folder}; [ -d "$at" ] && [ -k "$at" ] || at=/tmp
engine=${{DOCKER_HOST:-}}; engine=${{engine#unix://}}; [ -S "$engine" ] || engine=/var/run/docker.sock
me=$(id -u); group=$(stat -L -c %g "$engine" 2> /dev/null) || group=none
case "$me $(id -G) " in "0 "* | *" $group "*) mode=660 ;; *) mode=600; group=$(id -g) ;; esac
[ "$group" != none ] || {{ mode=600; group=$(id -g); }}
number=0; while :; do held=$at/kp-proxy.$number
if [ ! -e "$held" ] && [ ! -L "$held" ]; then
draft=$(mktemp "$at/kp-proxy.XXXXXXXX") || exit 1
chgrp "$group" "$draft" && chmod "$mode" "$draft" || {{ rm -f "$draft"; exit 1; }}
ln "$draft" "$held" 2> /dev/null; rm -f "$draft"; fi
case "$mode $(stat -c '%u %g %a %F' "$held" 2> /dev/null)" in
"660 "*" $group 660 regular "* | "600 $me $group 600 regular "*) break ;; esac
number=$((number + 1)); [ "$number" -lt {most} ] || {{
echo "files of other users in $at are in the way of the proxy's lock: remove $at/kp-proxy.*" >&2; exit 1; }}
done
exec 9< "$held"; timeout {seconds} flock 9 || {{
echo "another run has been changing the proxy of this host for {seconds} s: \\`fuser -v $held\\` names its process;" \\
"wait for it or end it, and run the same command again" >&2; exit 1; }}
fi; """


def alone(script: str, *, seconds: int = WAIT_SECONDS) -> str:
    """A script that waits until no other run changes the proxy of this host.

    Args:
        script: what to do.
        seconds: how long to wait; then the script is not begun.
    """
    return _ALONE.format(folder=LOCK_FOLDER, most=MOST_FILES, seconds=seconds) + script


def alone_if_unmoved(script: str, *, proxy: Proxy, seen: str) -> str:
    """The same for a script that was decided on by a look at the proxy.

    Args:
        script: what to do. It is left out if another service has done the same by now.
        proxy: what it leads to.
        seen: id of the container that was there; empty if there was none.
    """
    template = f'{{{{.Id}}}} {{{{index .Config.Labels "{DIGEST_LABEL}"}}}}'
    look = f"docker container inspect --format {words(template)} {words(proxy.name)}"
    absent = f'case "$error" in {ABSENT}) now= ;; *) echo "${{error:-{SILENT}}}" >&2; exit 1 ;; esac'
    unmoved = f"{words(seen)}' '*" if seen else "''"
    return alone(
        f"now=$({look} 2> /dev/null) || {{ error=$({look} 2>&1 > /dev/null); {absent}; }}; "
        f'case "$now" in {unmoved}) ;; '
        f"*' '{words(proxy.digest)}) exit 0 ;; *) echo {words(CHANGED)} >&2; exit 1 ;; esac; {script}"
    )


LAST_LINES = 20

WORKS_SECONDS = 3
"""So long a new proxy is given to route to what runs, before a new version is started behind it."""

ASIDE = f"{PROXY_CONTAINER}_replaced"
"""What the old proxy is called until the new one serves."""

REQUIRE_SERVING = f"""proxy_failed() {{
  echo "{PROXY_CONTAINER}: $1" >&2
  echo "last lines of its log:" >&2
  docker logs --tail {LAST_LINES} {PROXY_CONTAINER} 2>&1 | {PRINTABLE} >&2
  return 1
}}
stays_up() {{
  state=$(docker inspect --format '{STATE_FORMAT}' {PROXY_CONTAINER}) || return 1
  case "$state" in 'running '*' 0') ;; *) proxy_failed "does not stay up ($state)"; return 1 ;; esac
}}
"""
"""A proxy whose arguments are wrong exits at once, and Docker starts it again and again."""

STEP_ASIDE = f"""clear_aside() {{
  ! docker inspect {ASIDE} > /dev/null 2>&1 || docker rm -f {ASIDE} > /dev/null
}}
step_aside() {{
  docker stop {PROXY_CONTAINER} > /dev/null || return 1
  docker rename {PROXY_CONTAINER} {ASIDE} || {{ docker start {PROXY_CONTAINER} > /dev/null; return 1; }}
}}
come_back() {{
  docker rm -f {PROXY_CONTAINER} > /dev/null 2>&1
  docker rename {ASIDE} {PROXY_CONTAINER} && docker start {PROXY_CONTAINER} > /dev/null &&
    echo "the old proxy was started again" >&2
  return 1
}}
"""
"""Both want the same port, so the old one is stopped before the new one starts. A killed run may leave one aside."""

# NAME ASK ANSWER SERVER DOORS of a container that runs; an answer through its router ends the wait.
WORKS = """works() {
  name=${1:-}; ask=${2:-}; answer=${3:-}; server=${4:-}; doors=${5:-}
  while :; do
    stays_up || return 1
    problem=$(errors provider '')
    [ -z "$problem" ] || { proxy_failed "cannot learn from Docker what runs here"; return 1; }
    for door in $doors; do
      try_door "$door"
      case "$said" in yes | gone) return 0 ;; esac
    done
    now
    [ "$now" -lt "$deadline" ] || return 0
    sleep 0.2; now
  done
}
"""
"""That no router leads to what runs does not count: the new version may bring the labels that the new proxy wants, and
is asked about when it boots."""


def serving_functions() -> str:
    """The shell functions that the other builders call."""
    return REQUIRE_SERVING + STEP_ASIDE


def replace_by_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Replace the proxy by one that serves; exit 1 if it does not, and then the old one runs again.

    Args:
        proxy: the new one.
        routed: what is asked of it about the containers behind it, of whatever service.
    """
    return chain(
        have_image(proxy),
        "clear_aside",
        "step_aside",
        f"{{ {run_serving(proxy, routed)} || come_back; }}",
        f"docker rm {ASIDE} > /dev/null",
    )


def replace_by_working(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Replace the proxy by one that stays up and can ask Docker; exit 1 if it does not: then the old one runs again.

    Args:
        proxy: the new one.
        routed: the containers behind it.
    """
    asked = next((gate for gate in routed if gate.doors), None)
    looks = chain(note_gates([asked] if asked else []), f"works {question(asked) if asked else ''}".rstrip())
    functions = gate_functions(patience=WORKS_SECONDS if asked else THROTTLE_SECONDS) + WORKS
    new = chain(run(proxy), f"( {functions}{looks} )")
    return chain(
        have_image(proxy),
        "clear_aside",
        "step_aside",
        f"{{ {new} || come_back; }}",
        f"docker rm {ASIDE} > /dev/null",
    )


def run_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Run a proxy where there is none; exit 1 if it does not serve.

    Args:
        proxy: the new one.
        routed: what is asked of it about the containers behind it, of whatever service.
    """
    wait = f"sleep {THROTTLE_SECONDS}"
    if not routed:
        return chain(run(proxy), wait, "stays_up")
    asks = f'( {gate_functions()}{ask_gates(routed)} && {{ [ -n "$has_told" ] || {wait}; }} )'
    # A proxy that ends at once routes nowhere either, and its own last lines are the cause.
    return chain(run(proxy), f"{{ {asks} || {{ stays_up; false; }}; }}", "stays_up")
