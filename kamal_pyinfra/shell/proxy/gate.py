"""The gate of a container behind the proxy: asked by a request, else by the proxy's log."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.plan.proxy.gate import MARK, Door, Gate
from kamal_pyinfra.shell.health import NOW, PRINTABLE
from kamal_pyinfra.shell.proxy.request import REQUEST_SECONDS, request_functions
from kamal_pyinfra.shell.proxy.traefik import (
    ASKING_SECONDS,
    FIXED_SECONDS,
    LOOK_BACK_SECONDS,
    RECENT_ASKS,
    RECENT_LINES,
    THROTTLE_SECONDS,
    UNWRAP,
    route_functions,
)
from kamal_pyinfra.shell.script import chain, guarded, words

ROUTES = "kp-routes "
"""Begins a line that tells how it was seen that the proxy routes to a container: by a request, by its log, or not."""

TELL_SECONDS = 60

GONE_SECONDS = 8
"""So long a container that is healthy and that the proxy has a router to may take to be reached by it."""

REACH_SECONDS = 2
"""So long a proxy that nothing connects to may take to listen."""

NETWORKS_FORMAT = (
    "networks of {{slice .Name 1}}:{{range $name, $net := .NetworkSettings.Networks}} "
    "{{$name}} {{$net.IPAddress}}{{$net.GlobalIPv6Address}}{{end}}"
)

ENGINE_FORMAT = "Docker {{.Server.Version}}, API {{.Server.MinAPIVersion}} to {{.Server.APIVersion}}"

# Traefik logs an error of a router or a container each time it builds its routers. Quoted texts are not its own words.
ERRORS = rf"""recent() {{
  if [ -n "$log" ]; then tail -n {RECENT_LINES} "$log"
  elif is_readable; then docker logs --tail {RECENT_LINES} ${{1:+--since "$1"}} {PROXY_CONTAINER} 2>&1; fi
}}
errors() {{
  recent "$2" | awk -v wrapped="$log" -v since="$2" -v about="$1" -v container="$name" '
    wrapped != "" && since != "" && match($0, /"time":"[^"]*"[}}]$/) &&
      substr($0, RSTART + 8, 19) < substr(since, 1, 19) {{ next }}
    {UNWRAP}
    {{ sub(/\\n$/, ""); gsub(/\033\[[0-9;]*m/, "") }}
    /^[^ ]+ (ERR|FTL|PNC) / || /^time="[^"]*" level=(error|fatal|panic) / || is_error_object() {{
      if (about == "any" && !/{MARK}/) found = $0
      if (about == "provider" && is_of_provider()) found = $0
      if (about == "own" && !/middlewareType|EntryPoint doesn|certificate resolver/ && is_own()) {{ found = $0; exit }}
    }}
    END {{
      sub(/^[^ ]+ (ERR|FTL|PNC) [^ ]+ > /, "", found); sub(/^time="[^"]*" level=[a-z]+ /, "", found)
      print substr(found, 1, 600)
    }}
    function is_error_object() {{ return /^[{{]/ && /[{{,]"level":"(error|fatal|panic)"/ }}
    function is_of_provider() {{
      return /[Pp]rovider (connection )?error|Failed to retrieve information of the docker/ &&
        /providerName"?[=:]"?docker/ && !/(routerName|serviceName|middlewareName|container)"?[=:]/
    }}
    function is_own(    bare, list, i, count) {{
      bare = $0
      if (!/^[{{]/) gsub(/"([^"\\]|\\.)*"/, "", bare)
      count = split(routers, list, " ")
      for (i = 1; i <= count; i++) if (names(bare, list[i]) || names(bare, list[i] "@docker")) return 1
      return index(bare " ", "container=" container "-") || index(bare, "\"container\":\"" container "-")
    }}
    function names(text, router) {{
      return index(text " ", " routerName=" router " ") || index(text, "\"routerName\":\"" router "\"")
    }}' routers="$routers" - | {PRINTABLE}
}}
"""

# $1: why. Its last words come from Traefik's log, from labels and from Docker, and are only printed.
REFUSE = f"""refuse() {{
  error=$(errors own "$started"); [ -n "$error" ] || error=$(errors any '')
  if [ "$patience" -eq 0 ]; then tell_route "no $1${{error:+; the proxy's log: $error}}"; return 1; fi
  {{
    printf '%s: %s\\n' "$name" "$1"
    [ -z "$error" ] || printf "the proxy's log: %s\\n" "$error"
    printf 'rule: %s\\n' "$rules"
    docker inspect --format '{NETWORKS_FORMAT}' {PROXY_CONTAINER} "$name" 2> /dev/null
    docker version --format '{ENGINE_FORMAT}' 2> /dev/null
  }} | {PRINTABLE} >&2
  return 1
}}
"""

# → 0: an answer came through the router; 1: none can; 2: no request can be made, or what comes back says nothing.
BY_REQUEST = f"""try_door() {{
  rest=${{1#*:}}; port=${{rest%%:*}}; rest=${{rest#*:}}; guard=${{rest%%:*}}; places=$proxy_at
  case "$proxy_at $rest" in 127.0.0.1,*:*) places=${{rest#*:}} ;; esac
  for at in $(printf '%s' "$places" | tr , ' ') published; do
    at_port=$port
    if [ "$at" = published ]; then
      published=${{proxy_ports#* "$port"/tcp=}}; [ "$published" != "$proxy_ports" ] || continue
      published=${{published%% *}}; at=${{published#*@}}; at_port=${{published%@*}}
      case "$at" in '' | 0.0.0.0) at=127.0.0.1 ;; ::) at='[::1]' ;; *:*) at="[$at]" ;; esac
    fi
    left=$(( (deadline - now) / 100 + 3 )); [ "$left" -le {REQUEST_SECONDS} ] || left={REQUEST_SECONDS}
    ask_gate "$at" "$at_port" "${{1%%:*}}" "$server" "${{2:-/{MARK}$ask}}" "$answer" "$left"
    [ "$said" = "" ] || return 0
  done
}}
is_well() {{ case "$check:$status" in :* | ok:*:[23]?? | "$status:"*) return 0 ;; esac; return 1; }}
by_request() {{
  [ -n "$ask" ] && [ -n "$doors" ] || return 2
  heard=; began=$now; looked=$now
  while :; do
    answers=
    for door in $doors; do
      try_door "$door"
      [ -z "$said" ] || heard=1
      case "$said$guard" in
        yes*) if is_well; then return 0; else answers=unwell; gone=$status; fi ;;
        gone*) answers=gone; gone=$status ;;
        '' | guarded | unclear* | [1-5]*guarded) ;;
        *) case "$answers" in gone | unwell) ;; *) answers=$said ;; esac ;;
      esac
    done
    now
    [ "$now" -lt "$deadline" ] || break
    [ "$answers" != gone ] || [ $(( now - began )) -lt {GONE_SECONDS * 100} ] || break
    if [ $(( now - looked )) -ge 100 ]; then
      looked=$now; [ -z "$(errors own "$started")" ] || {{ why='the proxy does not take its router'; return 1; }}
    fi
    [ -n "$heard" ] || [ $(( now - began )) -lt {REACH_SECONDS * 100} ] || break
    [ -n "$answers" ] || [ $(( now - began )) -lt {FIXED_SECONDS * 100} ] || break
    if [ $(( now - began )) -lt 100 ]; then sleep 0.05; else sleep 0.3; fi
  done
  case "$answers" in
    '') return 2 ;;
    gone) why="the proxy has its router and cannot reach it (the answer is $gone)" ;;
    unwell) why="the proxy's own health check of it fails (the answer to ${{check#*:}} is $gone)" ;;
    slow) why='the proxy does not answer a request to it' ;;
    *) why="the proxy does not route to it (the answer is $answers)" ;;
  esac
  return 1
}}
"""

# → 0: routed; 1: not; 2: the log does not tell.
BY_LOG = f"""by_log() {{
  can_be_asked && [ -n "$addresses" ] || return 2
  servers=$addresses; asked=0; lines={RECENT_LINES}; began=$now
  noted=$(( noted_at - {LOOK_BACK_SECONDS} )); logged=; check={FIXED_SECONDS * 100}
  while :; do
    proxy_routes 1 "$lines"; code=$?
    [ "$code" -ne 0 ] || return 0
    now; asked=$(( asked + 1 ))
    [ "$asked" -lt {RECENT_ASKS} ] || lines=all
    [ "$code" -ne 1 ] || [ $(( now - began )) -lt {FIXED_SECONDS * 100} ] || return 2
    if [ "$now" -ge "$deadline" ] || [ $(( now - began )) -ge "$check" ]; then
      reaches_back "$started" || return 2
      check=$(( patience * 100 ))
    fi
    if [ "$now" -ge "$deadline" ]; then why='by its log the proxy does not route to it'; return 1; fi
    sleep 0.1
  done
}}
"""

# CONTAINER ASK ANSWER NAME DOORS ROUTERS RULES OWN_PATH TWINS CHECK. What is not ready, or gone, is told by who watches
# its health.
SERVES = f"""logs_errors() {{
  case "$proxy" in
    *[Ll][Oo][Gg].[Ff][Ii][Ll][Ee][Pp][Aa][Tt][Hh]=*) return 1 ;;
    *[Ll][Oo][Gg].[Ll]evel=[FfPp][AaNn]*) return 1 ;;
  esac
  [ -n "$log" ] || is_readable
}}
note_gates() {{
  set -f; has_told=; has_waited=
  note_servers "$@"; noted_at=$noted; proxy=$noted_proxy; log=$noted_log; now; deadline=$(( now + patience * 100 ))
}}
own_answers() {{
  [ -n "$own_path" ] || return 1
  for door in $doors; do
    try_door "$door" "$own_path"
    case "$said$guard $got$newline" in
      *guarded' '* | yes* | slow* | unclear* | ' '*) ;;
      404*ontent-Length:\\ 19"$newline"* | 50[234]*ontent-Length:\\ 1[159]"$newline"*) ;;
      50[234]*ontent-Length:\\ 20"$newline"*) ;;
      *) return 0 ;;
    esac
  done
  return 1
}}
has_twins() {{
  for twin in $twins; do
    now; began=$now
    while :; do
      heard=
      for door in $doors; do
        try_door "$door" "/{MARK}$twin"
        case "$said$guard" in
          yes* | gone*) break 2 ;;
          '' | guarded | slow* | unclear* | [1-5]*guarded) ;;
          *) heard=1 ;;
        esac
      done
      now
      [ -n "$heard" ] || break
      [ "$now" -lt "$deadline" ] && [ $(( now - began )) -lt {REACH_SECONDS * 100} ] || return 1
      sleep 0.1
    done
  done
}}
find_noted() {{
  health=; started=; addresses=; wanted=$1
  # shellcheck disable=SC2086
  set -- $found
  while [ "$#" -ge 4 ]; do
    [ "$1" != "/$wanted" ] || {{ health=$2; started=$3; addresses=${{4#=}}; }}
    shift 4
  done
}}
tell_route() {{ has_told=1; printf '{ROUTES}%s %s\\n' "$name" "$1"; }}
serves() {{
  name=$1; ask=$2; answer=$3; server=$4; doors=$5; routers=$6; rules=$7; own_path=$8; twins=$9; check=${{10}}
  find_noted "$name"; now
  case "$health" in healthy | none) ;; *) return 0 ;; esac
  case "$proxy" in
    'true '*) ;;
    '') tell_route 'unproven no proxy runs here'; return 0 ;;
    *) refuse 'the proxy does not run'; return 1 ;;
  esac
  by_request; case "$?" in
    0)
      [ "$patience" -eq 0 ] || sleep 0.05
      [ -z "$(errors own "$started")" ] || {{ refuse 'the proxy does not take its router'; return 1; }}
      if logs_errors; then tell_route request; return 0; fi
      has_twins || {{ refuse 'the proxy does not take its router'; return 1; }}
      if own_answers; then tell_route request
      else
        doubt='it may not take a new router'; [ -z "$twins" ] || doubt='it may not take a router that another one has'
        tell_route "unproven the proxy reaches it, but its log cannot be read: $doubt"
      fi
      return 0 ;;
    1) refuse "$why"; return 1 ;;
  esac
  by_log; case "$?" in
    0) tell_route log; return 0 ;;
    1) refuse "$why"; return 1 ;;
  esac
  [ -z "$(errors own "$started")" ] || {{ refuse 'the proxy does not take its router'; return 1; }}
  [ "$patience" -eq 0 ] || [ -n "$has_waited" ] || {{ sleep {THROTTLE_SECONDS}; has_waited=1; }}
  tell_route 'unproven no request can be made and its log does not tell'
}}
"""


def gate_functions(*, patience: int = ASKING_SECONDS) -> str:
    """The shell functions that the other builders call.

    Args:
        patience: seconds that the proxy may take; with 0 it is asked once.
    """
    return (
        f"patience={patience}\n"
        + NOW
        + route_functions()
        + request_functions()
        + ERRORS
        + REFUSE
        + BY_REQUEST
        + BY_LOG
        + SERVES
    )


def await_served(gates: Sequence[Gate]) -> str:
    """Wait until the proxy routes to each of these containers; exit 1 with the reason if it does not.

    The script brings the functions along that it needs; without containers it is empty.
    """
    return f"( {gate_functions()}{ask_gates(gates)} )" if gates else ""


def ask_gates(gates: Sequence[Gate]) -> str:
    """Note what Docker says of the proxy and of the containers, then ask for one after the other."""
    return chain(note_gates(gates), *map(_serves, gates))


def note_gates(gates: Sequence[Gate]) -> str:
    """Note what Docker says of the proxy and of the containers."""
    return f"note_gates {words(*(gate.container for gate in gates))}".rstrip()


def question(gate: Gate) -> str:
    """What there is to ask, as arguments: CONTAINER ASK ANSWER NAME DOORS."""
    return words(
        *(gate.container, gate.ask, gate.answer, gate.server_name or "localhost"), " ".join(map(_door, gate.doors))
    )


def tell_routes(gates: Sequence[Gate]) -> str:
    """Ask once for each container, and tell on standard output; exit code 0 whatever comes out."""
    asks = "; ".join(map(_serves, gates))
    script = f"{gate_functions(patience=0)}{note_gates(gates)}; {asks}; true"
    return guarded(script, seconds=TELL_SECONDS)


def _serves(gate: Gate) -> str:
    own = (" ".join(gate.routers), ", ".join(gate.rules), gate.own_path if gate.is_in_use else "")
    rest = words(*own, " ".join(gate.twins), gate.check)
    return f"serves {question(gate)} {rest}"


def _door(door: Door) -> str:
    guard = "guarded" if door.is_guarded else ""
    return f"{door.scheme}:{door.port}:{guard}{f':{door.address}' if door.address else ''}"
