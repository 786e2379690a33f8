# Whether the proxy routes to a container: a request through it tells, or its log, or both do not.

recent() {
  if [ -n "$log" ]; then
    tail -n 1000 "$log"
  elif is_readable; then docker logs --tail 1000 ${1:+--since "$1"} traefik 2>&1; fi
}

# KIND SINCE → the line. Traefik logs an error of a router or a container each time it builds its routers. Quoted texts
# are not its own words.
errors() {
  know_awk
  recent "$2" | awk -v wrapped="$log" -v since="$2" -v about="$1" -v container="$name" '
    wrapped != "" && since != "" && match($0, /"time":"[^"]*"[}]$/) &&
      substr($0, RSTART + 8, 19) < substr(since, 1, 19) { next }
    '"$unwrap"'
    { sub(/\\n$/, ""); gsub(/\033\[[0-9;]*m/, "") }
    /^[^ ]+ (ERR|FTL|PNC) / || /^time="[^"]*" level=(error|fatal|panic) / || is_error_object() {
      if (about == "any" && !/kp-gate-/) found = $0
      if (about == "provider" && is_of_provider()) found = $0
      if (about == "own" && !/middlewareType|EntryPoint doesn|certificate resolver/ && is_own()) { found = $0; exit }
    }
    END {
      sub(/^[^ ]+ (ERR|FTL|PNC) [^ ]+ > /, "", found); sub(/^time="[^"]*" level=[a-z]+ /, "", found)
      print substr(found, 1, 600)
    }
    function is_error_object() { return /^[{]/ && /[{,]"level":"(error|fatal|panic)"/ }
    function is_of_provider() {
      return /[Pp]rovider (connection )?error|Failed to retrieve information of the docker/ &&
        /providerName"?[=:]"?docker/ && !/(routerName|serviceName|middlewareName|container)"?[=:]/
    }
    function is_own(    bare, list, i, count) {
      bare = $0
      if (!/^[{]/) gsub(/"([^"\\]|\\.)*"/, "", bare)
      count = split(routers, list, " ")
      for (i = 1; i <= count; i++) if (names(bare, list[i]) || names(bare, list[i] "@docker")) return 1
      return index(bare " ", "container=" container "-") || index(bare, "\"container\":\"" container "-")
    }
    function names(text, router) {
      return index(text " ", " routerName=" router " ") || index(text, "\"routerName\":\"" router "\"")
    }' routers="$routers" - | printable
}

# REASON. Its last words come from Traefik's log, from labels and from Docker, and are only printed.
refuse() {
  error=$(errors own "$started")
  [ -n "$error" ] || error=$(errors any '')
  if [ "$patience" -eq 0 ]; then
    [ -z "$error" ] || error="; the proxy's log: $error"
    show_route "no $1$error"
    return 1
  fi
  {
    printf '%s: %s\n' "$name" "$1"
    [ -z "$error" ] || printf "the proxy's log: %s\n" "$error"
    printf 'rule: %s\n' "$rules"
    docker inspect --format 'networks of {{slice .Name 1}}:{{range $name, $net := .NetworkSettings.Networks}} {{$name}} {{$net.IPAddress}}{{$net.GlobalIPv6Address}}{{end}}' traefik "$name" 2> /dev/null
    docker version --format 'Docker {{.Server.Version}}, API {{.Server.MinAPIVersion}} to {{.Server.APIVersion}}' 2> /dev/null
  } | printable >&2
  return 1
}

# DOOR PATH
try_door() {
  rest=${1#*:}
  port=${rest%%:*}
  rest=${rest#*:}
  guard=${rest%%:*}
  places=$proxy_at
  case "$proxy_at $rest" in 127.0.0.1,*:*) places=${rest#*:} ;; esac
  for at in $(printf '%s' "$places" | tr , ' ') published; do
    at_port=$port
    if [ "$at" = published ]; then
      published=${proxy_ports#* "$port"/tcp=}
      [ "$published" != "$proxy_ports" ] || continue
      published=${published%% *}
      at=${published#*@}
      at_port=${published%@*}
      case "$at" in '' | 0.0.0.0) at=127.0.0.1 ;; ::) at='[::1]' ;; *:*) at="[$at]" ;; esac
    fi
    left=$(((deadline - now) / 100 + 3))
    [ "$left" -le 10 ] || left=10
    ask_gate "$at" "$at_port" "${1%%:*}" "$server" "${2:-/kp-gate-$ask}" "$answer" "$left"
    [ "$outcome" = "" ] || return 0
  done
}

is_well() {
  case "$check:$status" in :* | ok:*:[23]?? | "$status:"*) return 0 ;; esac
  return 1
}

# → 0: an answer came through the router; 1: none can; 2: no request can be made, or what comes back proves nothing.
# A container that is healthy and that the proxy has a router to may take eight seconds to be reached by it, and a proxy
# that nothing connects to two to listen.
by_request() {
  [ -n "$ask" ] && [ -n "$doors" ] || return 2
  answered='' began=$now checked=$now
  while :; do
    answers=
    for door in $doors; do
      try_door "$door"
      [ -z "$outcome" ] || answered=1
      case "$outcome$guard" in
        yes*)
          is_well && return 0
          answers=unwell
          gone=$status
          ;;
        gone*)
          answers=gone
          gone=$status
          ;;
        '' | guarded | unclear* | [1-5]*guarded) ;;
        *) case "$answers" in gone | unwell) ;; *) answers=$outcome ;; esac ;;
      esac
    done
    now
    [ "$now" -lt "$deadline" ] || break
    [ "$answers" != gone ] || [ $((now - began)) -lt 800 ] || break
    if [ $((now - checked)) -ge 100 ]; then
      checked=$now
      [ -z "$(errors own "$started")" ] || {
        why='the proxy does not take its router'
        return 1
      }
    fi
    [ -n "$answered" ] || [ $((now - began)) -lt 200 ] || break
    [ -n "$answers" ] || [ $((now - began)) -lt 500 ] || break
    if [ $((now - began)) -lt 100 ]; then sleep 0.05; else sleep 0.3; fi
  done
  case "$answers" in
    '') return 2 ;;
    gone) why="the proxy has its router and cannot reach it (the answer is $gone)" ;;
    unwell) why="the proxy's own health check of it fails (the answer to ${check#*:} is $gone)" ;;
    slow) why='the proxy does not answer a request to it' ;;
    *) why="the proxy does not route to it (the answer is $answers)" ;;
  esac
  return 1
}

# → 0: routed; 1: not; 2: the log does not tell.
by_log() {
  can_be_asked && [ -n "$addresses" ] || return 2
  servers=$addresses asked=0 lines=1000 began=$now
  noted=$((noted_at - 120)) logged='' check=500
  while :; do
    proxy_routes 1 "$lines"
    code=$?
    [ "$code" -ne 0 ] || return 0
    now
    asked=$((asked + 1))
    [ "$asked" -lt 3 ] || lines=all
    [ "$code" -ne 1 ] || [ $((now - began)) -lt 500 ] || return 2
    if [ "$now" -ge "$deadline" ] || [ $((now - began)) -ge "$check" ]; then
      reaches_back "$started" || return 2
      check=$((patience * 100))
    fi
    if [ "$now" -ge "$deadline" ]; then
      why='by its log the proxy does not route to it'
      return 1
    fi
    sleep 0.1
  done
}

logs_errors() {
  know_awk
  case "$proxy" in
    *[Ll][Oo][Gg].[Ff][Ii][Ll][Ee][Pp][Aa][Tt][Hh]=*) return 1 ;;
    *[Ll][Oo][Gg].[Ll]evel=[FfPp][AaNn]*) return 1 ;;
  esac
  [ -n "$log" ] || is_readable
}

# SECONDS CONTAINER… Reads what Docker prints of the proxy and of the containers. The proxy may take so many seconds; with 0
# it is asked once.
note_gates() {
  set -f
  patience=$1 has_shown='' has_waited=''
  shift
  note_servers "$@"
  noted_at=$noted
  proxy=$noted_proxy
  log=$noted_log
  now
  deadline=$((now + patience * 100))
}

own_answers() {
  [ -n "$own_path" ] || return 1
  for door in $doors; do
    try_door "$door" "$own_path"
    case "$outcome$guard $got$newline" in
      *guarded' '* | yes* | slow* | unclear* | ' '*) ;;
      404*ontent-Length:\ 19"$newline"* | 50[234]*ontent-Length:\ 1[159]"$newline"*) ;;
      50[234]*ontent-Length:\ 20"$newline"*) ;;
      *) return 0 ;;
    esac
  done
  return 1
}

has_twins() {
  for twin in $twins; do
    now
    began=$now
    while :; do
      answered=
      for door in $doors; do
        try_door "$door" "/kp-gate-$twin"
        case "$outcome$guard" in
          yes* | gone*) break 2 ;;
          '' | guarded | slow* | unclear* | [1-5]*guarded) ;;
          *) answered=1 ;;
        esac
      done
      now
      [ -n "$answered" ] || break
      [ "$now" -lt "$deadline" ] && [ $((now - began)) -lt 200 ] || return 1
      sleep 0.1
    done
  done
}

find_noted() {
  health='' started='' addresses='' wanted=$1
  # shellcheck disable=SC2086 # four words for each
  set -- $found
  while [ "$#" -ge 4 ]; do
    [ "$1" != "/$wanted" ] || {
      health=$2
      started=$3
      addresses=${4#=}
    }
    shift 4
  done
}

show_route() {
  has_shown=1
  printf 'kp-routes %s %s\n' "$name" "$1"
}

# CONTAINER ASK ANSWER NAME DOORS ROUTERS RULES OWN_PATH TWINS CHECK UNASKED. What is not ready, or
# gone, is reported where its health is watched.
serves() {
  name=$1 ask=$2 answer=$3 server=$4 doors=$5 routers=$6 rules=$7 own_path=$8 twins=$9 check=${10} unasked=${11}
  find_noted "$name"
  now
  case "$health" in healthy | none) ;; *) return 0 ;; esac
  case "$proxy" in
    'true '*) ;;
    '')
      show_route 'unproven no proxy runs here'
      return 0
      ;;
    *)
      refuse 'the proxy does not run'
      return 1
      ;;
  esac
  by_request
  case "$?" in
    0)
      [ "$patience" -eq 0 ] || sleep 0.05
      [ -z "$(errors own "$started")" ] || {
        refuse 'the proxy does not take its router'
        return 1
      }
      if logs_errors; then
        show_route request
        return 0
      fi
      has_twins || {
        refuse 'the proxy does not take its router'
        return 1
      }
      if [ -n "$unasked" ]; then
        doubt='it was not asked about routers with another entry point or TLS than the first'
        show_route "unproven the proxy reaches it, but its log cannot be read: $doubt ($unasked)"
      elif own_answers; then
        show_route request
      else
        doubt='it may not take a new router'
        [ -z "$twins" ] || doubt='it may not take a router that another one has'
        show_route "unproven the proxy reaches it, but its log cannot be read: $doubt"
      fi
      return 0
      ;;
    1)
      refuse "$why"
      return 1
      ;;
  esac
  by_log
  case "$?" in
    0)
      show_route log
      return 0
      ;;
    1)
      refuse "$why"
      return 1
      ;;
  esac
  [ -z "$(errors own "$started")" ] || {
    refuse 'the proxy does not take its router'
    return 1
  }
  [ "$patience" -eq 0 ] || [ -n "$has_waited" ] || {
    sleep 2
    has_waited=1
  }
  show_route 'unproven no request can be made and its log does not tell'
}

# Traefik applies a change every two seconds at most.
await_throttle_unless_shown() { [ -n "$has_shown" ] || sleep 2; }
