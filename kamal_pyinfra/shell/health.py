"""Loops that run on the host, so that waiting costs no round trips."""

from __future__ import annotations

from kamal_pyinfra.plan.state.desired import AppContainer
from kamal_pyinfra.shell.script import words

STATE_FORMAT = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}}"
POLL_SECONDS = "0.1"
FIRST_CHECK = "sleep 0.2"
"""Docker itself asks a new container after 0.2 s for the first time (``--health-start-interval``)."""
FIRST_PAUSES = 'case "$looks" in [0-3]) pause=0.05 ;; esac'

# A container's output may hold any bytes; pyinfra loses the rest of the output after one that is not UTF-8.
PRINTABLE = r"LC_ALL=C tr -cd '\11\12\40-\176'"

PROBE_FORMAT = (
    "{{if .State.Health}}{{range .State.Health.Log}}"
    'health check exited {{.ExitCode}}: {{json .Output}}{{"\\n"}}{{end}}{{end}}'
)
PROGRESS_FORMAT = (
    "{{if .State.Health}}{{range .State.Health.Log}}{{json $.Config.Healthcheck.Interval}} "
    '{{json .Start}} {{json .End}} {{.ExitCode}} {{json .Output}}{{"\\n"}}{{end}}{{end}}'
)
WAITING = "kp-waiting "
"""Begins a line that tells whoever watches what a host waits for."""
SERVING_FORMAT = (
    "{{if .State.Running}}{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}{{else}}stopped{{end}}"
)

REPORT = f"""report() {{
  echo "$1: $2" >&2
  docker inspect --format '{PROBE_FORMAT}' "$1" 2>&1 | sed "/^$/d" | tail -n 1 | {PRINTABLE} >&2
  echo "last lines of its log:" >&2
  docker logs --tail "$3" "$1" 2>&1 | {PRINTABLE} >&2
}}
"""

# Hundredths of a second since the host started: no process to start, and nobody sets this clock.
NOW = """now() { read -r now _ < /proc/uptime; now=${now%.*}${now#*.}; }
"""

# Asked once a second at most, and never of a container that is ready within one.
TELL = f"""tell() {{
  probe=$(docker inspect --format '{PROGRESS_FORMAT}' "$1" 2> /dev/null | sed "/^$/d" | tail -n 1 | {PRINTABLE})
  [ -n "$probe" ] && [ "$probe" != "$told" ] || return 0
  told=$probe; probes=$(( probes + 1 ))
  printf '{WAITING}%s %s %s %s\\n' "$1" "$probes" "$2" "$probe"
}}
"""

# A look by Docker's client takes more of a processor than all else here, and a container's process can be seen:
# whether it is there, and since when (in hundredths of a second since the host started, as in NOW).
STAY = """born() {
  pid=$(docker inspect --format '{{.State.Pid}}' "$1" 2> /dev/null) || pid=gone
  read -r process 2> /dev/null < "/proc/$pid/stat" || return 0
  set -- ${process##*) }
  shift 19
  [ "$1" -gt "$now" ] || began=$1
}
stay() {
  while now && [ "$now" -lt "$1" ]; do
    case "$(( $1 - now ))" in [1-9]) sleep "0.0$(( $1 - now ))" ;; *) sleep 0.1 ;; esac
    [ -d "/proc/$pid" ] || return 0
  done
}
"""

AWAIT_READY = f"""await_ready() {{
  now; began=$now; looks=0; told=; probes=0; pid=
  while :; do
    pause={POLL_SECONDS}
    state=$(docker inspect --format '{STATE_FORMAT}' "$1") || return 1
    now; elapsed=$(( now - began )); restarts=${{state##* }}; state=${{state% *}}
    [ "$5" != any ] || set -- "$1" "$2" "$3" "$4" "$restarts"
    case "$restarts $state" in
      "$5 running healthy") return 0 ;;
      "$5 running none")
        [ "$elapsed" -lt $(( $3 * 100 )) ] || return 0
        [ -n "$pid" ] || born "$1"
        stay $(( began + $3 * 100 )); continue ;;
      "$5 running starting" | "$5 running unhealthy")
        [ "$elapsed" -lt $(( $2 * 100 )) ] ||
          {{ report "$1" "not healthy after $(( elapsed / 100 )) s ($state)" "$4"; return 1; }}
        {FIRST_PAUSES} ;;
      *) report "$1" "stopped before it was ready ($state)" "$4"; return 1 ;;
    esac
    sleep "$pause"; looks=$(( looks + 1 ))
    [ $(( looks % 10 )) -ne 0 ] || case "$state" in *starting | *unhealthy) tell "$1" "$2" ;; esac
  done
}}
"""

STILL_READY = f"""still_ready() {{
  state=$(docker inspect --format '{STATE_FORMAT}' "$1") || return 1
  restarts=${{state##* }}; state=${{state% *}}
  [ "$3" != any ] || set -- "$1" "$2" "$restarts"
  case "$restarts $state" in "$3 running healthy" | "$3 running none") return 0 ;; esac
  report "$1" "was ready, but is so no more ($state)" "$2"; return 1
}}
"""

# `drops` is what the log of the proxy tells, where that is known (commands/proxy_routes.py).
AWAIT_UNHEALTHY = f"""drops() {{ return 1; }}
await_unhealthy() {{
  now; began=$now
  until drops; do
    health=$(docker inspect --format '{SERVING_FORMAT}' "$1") || return 1
    case "$health" in healthy | starting) ;; *) return 0 ;; esac
    now
    if [ $(( now - began )) -ge $(( $2 * 100 )) ]; then
      echo "$1: still $health $2 s after its cord was cut" >&2
      return 1
    fi
    [ -n "$log" ] || sleep {POLL_SECONDS}
  done
}}
"""


def await_functions() -> str:
    """The shell functions that :func:`await_ready` and :func:`await_unhealthy` call."""
    return NOW + REPORT + TELL + STAY + AWAIT_READY + AWAIT_UNHEALTHY


def await_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Wait until Docker calls the container healthy; without health check, until it stayed up long enough.

    A container that exits or restarts has failed at once. On failure the last health output and log lines go
    to standard error and the exit code is 1.

    Args:
        container: what to wait for.
        has_run: it was not started just now, so it may have restarted before.
    """
    restarts = "any" if has_run else 0
    return "await_ready " + words(
        container.name, container.deadline, container.readiness_delay, container.log_lines, restarts
    )


def still_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Exit with 1, and a report, if a container that was ready has stopped, restarted or become unhealthy since."""
    return "still_ready " + words(container.name, container.log_lines, "any" if has_run else 0)


def await_unhealthy(container: str, *, seconds: int) -> str:
    """Wait until Docker calls a container with a cut cord unhealthy; exit code 1 if it never does."""
    return f"await_unhealthy {words(container, seconds)}"
