# Loops that run on the host, so that waiting costs no round trips.

# Hundredths of a second since the host started: no process to start, and this clock is never set.
now() {
  read -r now _ < /proc/uptime
  now=${now%.*}${now#*.}
}

# A container's output may hold any bytes; pyinfra loses the rest of the output after one that is not UTF-8.
printable() { LC_ALL=C tr -cd '\11\12\40-\176'; }

# CONTAINER → `STATUS HEALTH RESTARTS`.
state_of() {
  docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}}' "$1"
}

# CONTAINER → whether the proxy has it in its list: its health, `none` without a health check, or `stopped`.
serving_state_of() {
  docker inspect --format '{{if .State.Running}}{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}{{else}}stopped{{end}}' "$1"
}

# CONTAINER MESSAGE LINES
report() {
  echo "$1: $2" >&2
  docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}health check exited {{.ExitCode}}: {{json .Output}}{{"\n"}}{{end}}{{end}}' "$1" 2>&1 |
    sed "/^$/d" | tail -n 1 | printable >&2
  echo "last lines of its log:" >&2
  docker logs --tail "$3" "$1" 2>&1 | printable >&2
}

# CONTAINER DEADLINE. Asked once a second at most, and never of a container that is ready within one.
show_probe() {
  probe=$(docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}{{json $.Config.Healthcheck.Interval}} {{json .Start}} {{json .End}} {{.ExitCode}} {{json .Output}}{{"\n"}}{{end}}{{end}}' "$1" 2> /dev/null |
    sed "/^$/d" | tail -n 1 | printable)
  [ -n "$probe" ] && [ "$probe" != "$shown" ] || return 0
  shown=$probe
  probes=$((probes + 1))
  printf 'kp-waiting %s %s %s %s\n' "$1" "$probes" "$2" "$probe"
}

# CONTAINER. An inspection by Docker's client takes more of a processor than all else here, and a container's process
# is visible: whether it is there, and since when (as in `now`).
born() {
  pid=$(docker inspect --format '{{.State.Pid}}' "$1" 2> /dev/null) || pid=gone
  read -r process 2> /dev/null < "/proc/$pid/stat" || return 0
  # shellcheck disable=SC2086 # one field each
  set -- ${process##*) }
  shift 19
  [ "$1" -gt "$now" ] || began=$1
}

# UNTIL
stay() {
  while now && [ "$now" -lt "$1" ]; do
    case "$(($1 - now))" in [1-9]) sleep "0.0$(($1 - now))" ;; *) sleep 0.1 ;; esac
    [ -d "/proc/$pid" ] || return 0
  done
}

# CONTAINER DEADLINE READINESS_DELAY LOG_LINES RESTARTS. Of a container that was not started just now the restarts are
# `any`.
await_ready() {
  now
  began=$now rounds=0 shown='' probes=0 pid=''
  while :; do
    pause=0.1
    state=$(state_of "$1") || return 1
    now
    elapsed=$((now - began))
    restarts=${state##* }
    state=${state% *}
    [ "$5" != any ] || set -- "$1" "$2" "$3" "$4" "$restarts"
    case "$restarts $state" in
      "$5 running healthy") return 0 ;;
      "$5 running none")
        [ "$elapsed" -lt $(($3 * 100)) ] || return 0
        [ -n "$pid" ] || born "$1"
        stay $((began + $3 * 100))
        continue
        ;;
      "$5 running starting" | "$5 running unhealthy")
        if [ "$elapsed" -ge $(($2 * 100)) ]; then
          report "$1" "not healthy after $((elapsed / 100)) s ($state)" "$4"
          return 1
        fi
        case "$rounds" in [0-3]) pause=0.05 ;; esac
        ;;
      *)
        report "$1" "stopped before it was ready ($state)" "$4"
        return 1
        ;;
    esac
    sleep "$pause"
    rounds=$((rounds + 1))
    [ $((rounds % 10)) -ne 0 ] || case "$state" in *starting | *unhealthy) show_probe "$1" "$2" ;; esac
  done
}

# CONTAINER LOG_LINES RESTARTS
still_ready() {
  state=$(state_of "$1") || return 1
  restarts=${state##* }
  state=${state% *}
  [ "$3" != any ] || set -- "$1" "$2" "$restarts"
  case "$restarts $state" in "$3 running healthy" | "$3 running none") return 0 ;; esac
  report "$1" "was ready, but is so no more ($state)" "$2"
  return 1
}

# CONTAINER SECONDS. `drops` is what the log of the proxy tells, where that is known.
await_unhealthy() {
  now
  began=$now
  until drops; do
    health=$(serving_state_of "$1") || return 1
    case "$health" in healthy | starting) ;; *) return 0 ;; esac
    now
    if [ $((now - began)) -ge $(($2 * 100)) ]; then
      echo "$1: still $health $2 s after its cord was cut" >&2
      return 1
    fi
    [ -n "$log" ] || sleep 0.1
  done
}
