# The zero-downtime sequence on one host: what boot, gate, revert and watch ask and wait for.

# PID → ports in hexadecimal. The kernel shows which sockets listen in a container, and whether the loopback alone reaches
# them.
listening() {
  cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2> /dev/null | awk '
    $4 == "0A" {
      split($2, at, ":")
      if (at[1] !~ /^(0000000000000000FFFF0000)?......7F$/ && at[1] != "00000000000000000000000001000000") print at[2]
    }'
}

# CONTAINER PORT DEADLINE LOG_LINES. Where the kernel does not show sockets, or the container has ended meanwhile, what
# follows decides.
await_port() {
  now
  began=$now port=$2
  pid=$(docker inspect --format '{{.State.Pid}}' "$1") || return 1
  [ -n "$port" ] ||
    port=$(docker inspect --format '{{range $port, $_ := .Config.ExposedPorts}}{{println $port}}{{end}}' "$1" |
      sed '/^$/d' | sort -n | head -n 1)
  port=${port%/*}
  case "$port" in '' | 0* | *[!0-9]*) return 0 ;; esac
  wanted=$(printf '%04X' "$port")
  while [ -n "$(cat "/proc/$pid/net/tcp" 2> /dev/null)" ]; do
    ports=$(listening "$pid" | sort -u | tr '\n' ' ')
    now
    case " $ports" in *" $wanted "*) return 0 ;; esac
    if [ $((now - began)) -ge $(($3 * 100)) ]; then
      others=
      for each in $ports; do others="$others $((0x$each))"; done
      report "$1" "nothing listens on port $port, where the proxy would ask it (but on:${others:- none})" "$4"
      return 1
    fi
    sleep 0.1
  done
}

# CONTAINER LABEL NETWORK… A container that is healthy gets its share of the requests at once, so this is asked before
# there is one. A network may be given by the beginning of its id. Of several Traefik takes any, and another one each time,
# unless its label `traefik.docker.network` or the proxy's `providers.docker.network` names one of them.
share_network() {
  name=$1 chosen=$2
  shift 2
  there=$(docker inspect --format '{{.HostConfig.NetworkMode}} {{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.NetworkID}} {{end}}{{println}}{{range .Args}}{{println .}}{{end}}' traefik 2> /dev/null) || return 0
  [ -n "$chosen" ] ||
    chosen=$(echo "$there" | sed -n 's/^--[Pp]roviders\.[Dd]ocker\.[Nn]etwork=//p')
  there=$(echo "$there" | head -n 1)
  all=$* shared='' missing=''
  case " $all " in *" $chosen "*) [ -z "$chosen" ] || set -- "$chosen" ;; esac
  for network in "$@"; do
    id=$network
    case "$network" in *[!0-9a-f]*) id="$network " ;; esac
    case " $there" in
      ' host '*) return 0 ;;
      *" $id"*) shared=1 ;;
      *) missing=1 ;;
    esac
  done
  [ -n "$missing" ] || return 0
  {
    if [ -n "$shared" ]; then
      echo "$name: the proxy would take any of its networks, and is not on all of them: it would be on $all, the proxy is on ${there#* }"
      echo "name the one to take with the label traefik.docker.network"
    else
      echo "$name: the proxy cannot reach it: it would be on ${*:-$all}, the proxy is on ${there#* }"
    fi
  } | sed 's/ [0-9a-f]\{64\}//g' >&2
  return 1
}

# RUN. A run that is interrupted drops its connections; the scripts on the hosts notice that within half a second, and
# Docker may have been creating a container for them. What is looked for is in their text, but not in this one.
await_end_of_boot() {
  waited=0
  while grep -qs "[k]p-boot:$1" /proc/[0-9]*/cmdline && [ "$waited" -lt 50 ]; do
    sleep 0.2
    waited=$((waited + 1))
  done
  [ "$waited" -eq 0 ] || sleep 1
}

# Nothing can be brought back without an engine; one that is started again is waited for.
await_engine() {
  waited=0
  until error=$(docker version 2>&1 > /dev/null); do
    if [ "$waited" -ge 10 ]; then
      echo "$error" >&2
      echo "Docker does not answer" >&2
      exit 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
}

# MESSAGE of Docker about a thing that is not there; anything else is no answer.
is_absence() {
  case "$1" in *[Nn]"o such object"* | *[Nn]"o such container"* | *[Nn]"o such image"*) ;; *) return 1 ;; esac
}

# FORMAT CONTAINER → nothing where it is not there; 1 where that is not known.
inspect_if_there() {
  { error=$(docker inspect --format "$1" "$2" 2>&1 >&3); } 3>&1 && return 0
  ! is_absence "$error" || return 0
  echo "$error" >&2
  return 1
}

# RUN CONTAINER… → those whose host name carries this run's id; one that was to be replaced may still have the name, and
# serve.
this_runs() {
  run=$1
  shift
  for name in "$@"; do
    hostname=$(inspect_if_there '{{.Config.Hostname}}' "$name") || return 1
    case "$hostname" in *-"$run") echo "$name" ;; esac
  done
}

# CONTAINER → 0, 1, or 2 where that is not known.
is_there() {
  found=$(inspect_if_there '{{.Id}}' "$1") || return 2
  [ -n "$found" ]
}

# CONTAINER RUN OLD_NAME [-t SECONDS]
revert() {
  ours=$(this_runs "$2" "$1") || return 1
  if [ -n "$ours" ]; then
    docker stop ${4:+"$4" "$5"} "$1" > /dev/null
    docker rm -f "$1" > /dev/null || return 1
  fi
  is_there "$3"
  case "$?" in 0) docker rename "$3" "$1" ;; 1) ;; *) return 1 ;; esac
}

# LOST CONTAINER…
keep_what_serves() {
  [ -n "$1" ] || return 0
  shift
  for name in "$@"; do
    serving=$(inspect_if_there '{{if .State.Running}}{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}{{else}}stopped{{end}}' "$name") || exit 1
    case "$serving" in
      healthy | none)
        echo "an old container did not come back; $name stays" >&2
        exit 1
        ;;
    esac
  done
}

# CONTAINER SECONDS [CORD]. Makes sure that an old container serves; what could not be done, or asked, is lost.
# shellcheck disable=SC2034
revive() {
  is_there "$1"
  case "$?" in
    0) { [ -z "$3" ] || tie_cord "$3"; } && docker start "$1" > /dev/null && await_ready "$1" "$2" 0 20 any && return ;;
    1) return ;;
  esac
  lost=1
}

# CONTAINER [-t SECONDS], of which the restart is taken back
# shellcheck disable=SC2034
stop_if_there() {
  name=$1
  shift
  is_there "$name"
  case "$?" in
    0) docker stop "$@" "$name" > /dev/null && return ;;
    1) return ;;
  esac
  lost=1
}

# CONTAINER SECONDS
await_drained() { await_unhealthy "$@" || stayed="$stayed $1"; }

# [-t SECONDS]
stop_what_stayed() {
  [ -n "$stayed" ] || return 0
  # shellcheck disable=SC2086
  docker stop "$@" $stayed > /dev/null || return
  echo "${stayed# } was stopped all the same: it was in traffic until then, and requests to it may have failed" >&2
}
