# Asks Traefik, by its log, whether it routes to a server or has dropped it.

# PATH and what follows it. Remembers how long the file was; one that is shorter later was begun anew.
note_log() {
  log=${1%% \[*}
  logged=0
  case "$log" in
    /*-json.log) [ -r "$log" ] && logged=$(wc -c < "$log") || log= ;;
    *) log= ;;
  esac
  size=$logged
}

# Costs one process; to read the new lines costs six.
has_grown() {
  before=$size
  size=$(wc -c < "$log")
  [ "$size" != "$before" ]
}

# LINES, or `all`. With `logged` empty, so many lines at the end of the file are read.
proxy_log() {
  if [ -z "$log" ]; then
    docker logs --tail "$1" --since "$noted" traefik 2>&1
  elif [ -z "$logged" ] && [ "$1" != all ]; then
    tail -n "$1" "$log"
  else
    [ "${logged:-0}" -le "$(wc -c < "$log")" ] || logged=0
    tail -c "+$((${logged:-0} + 1))" "$log"
  fi
}

# TIME as Docker writes it → 1 if what was logged then may be gone: Docker begins a full file anew (`max-size`), and keeps
# none of those before unless it is told to. Traefik names its version among its first lines, at every level that tells
# what it routes to.
reaches_back() {
  {
    if [ -n "$log" ]; then head -n 30 "$log"; else docker logs --timestamps traefik 2>&1 | head -n 30; fi
  } | awk -v since="$1" '
    NR == 1 {
      at = $1; if (match($0, /"time":"[^"]*"[}]$/)) at = substr($0, RSTART + 8, 19)
      if (substr(at, 1, 19) <= substr(since, 1, 19)) is_whole = 1
    }
    /Traefik version / { is_whole = 1 }
    END { exit NR == 0 || is_whole ? 0 : 1 }'
}

# CONTAINER… → when it was, under which addresses the proxy knows them, and whether it can be asked. Only a healthy
# container is in the proxy's list; another one may have left it this very moment. Docker leaves out what is not there. One
# without an address of its own (`network: host`) cannot be found in the log. Of what Docker prints, the proxy's lines tell
# whether and where it can be asked.
note_servers() {
  noted=$(($(date +%s) - 1))
  noted_names=$* servers='' unsure='' unknown='' found='' agreed=0
  proxy='' log='' driver='' readable='' proxy_at='' proxy_ports='' noted_proxy='' noted_log=''
  [ "$#" -gt 0 ] || return 0
  while read -r container running health rest; do
    case "$container" in
      '') ;;
      /traefik)
        proxy="$running $rest"
        note_log "$rest"
        noted_proxy=$proxy
        noted_log=$log
        ;;
      +at)
        driver=$running
        proxy_at=${rest#=}
        [ "$health" != host ] || proxy_at='127.0.0.1,[::1],'
        ;;
      +port) proxy_ports="$proxy_ports $running=$health@$rest" ;;
      *)
        found="$found $container $health $rest"
        case "$health $rest" in
          'healthy '*' =') unknown=1 ;;
          'healthy '*) servers="$servers ${rest#* =}" ;;
          *) unsure=1 ;;
        esac
        ;;
    esac
  done << EOF
$(docker inspect --format '{{.Name}} {{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}{{if eq .Name "/traefik"}} {{.LogPath}} {{json .Args}}{{println}}+at {{.HostConfig.LogConfig.Type}} {{.HostConfig.NetworkMode}} ={{range .NetworkSettings.Networks}}{{if .IPAddress}}{{.IPAddress}},{{end}}{{if .GlobalIPv6Address}}[{{.GlobalIPv6Address}}],{{end}}{{end}}{{range $port, $bound := .NetworkSettings.Ports}}{{range $bound}}{{println}}+port {{$port}} {{.HostPort}} {{.HostIP}}{{end}}{{end}}{{else}} {{.State.StartedAt}} ={{range .NetworkSettings.Networks}}{{if .IPAddress}}{{.IPAddress}},{{end}}{{if .GlobalIPv6Address}}[{{.GlobalIPv6Address}}],{{end}}{{end}}{{end}}' traefik "$@" 2> /dev/null)
EOF
  [ -n "$servers$unknown" ] || proxy=
  can_be_asked && [ -z "$unsure$unknown" ] || log=
}

# A rule for awk that comes before others, in `unwrap`: objects of the file become lines, where `wrapped` is not empty. An
# object that is not written wholly yet is none. A backslash that was one stands aside while the others are taken away.
know_awk() {
  # shellcheck disable=SC2016
  unwrap='wrapped != "" {
      end = index($0, "\",\"stream\":\"")
      if (substr($0, 1, 8) != "{\"log\":\"" || !end) next
      text = substr($0, 9, end - 9); gsub(/\\\\/, "\001", text); line = line text
      if (substr(text, length(text) - 1) != "\\n") next
      $0 = line; line = ""
      gsub(/\\"/, "\""); gsub(/\\u001b/, "\033"); gsub(/\\u003c/, "<"); gsub(/\\u003e/, ">")
      gsub(/\\u0026/, "\\&"); gsub(/\001/, "\\\\")
    }
    '
}

# WANTED LINES → 0 if the newest configuration and what was built are as wanted, 2 if they are not, and 1 if the log tells
# of none. A container's addresses are joined by commas: Traefik uses one of them. The routers by which the proxy is
# asked itself are no proof that a container's own router is there. A line counts as Traefik's if its message stands where
# Traefik puts it, in each of its three formats.
proxy_routes() {
  know_awk
  proxy_log "$2" | awk -v servers="$servers" -v wanted="$1" -v wrapped="$log" "$unwrap"'
    BEGIN { count = split(servers, address, " ") }
    !/Configuration received|Creating load-balancer|Creating server/ { next }
    { gsub(/\033\[[0-9;]*m/, "") }
    is_message("Configuration received") && /providerName"?[=:]"?docker/ {
      right = is_known = 1; config = $0; sub(/^time="[^"]*"|^[^ ]+ DBG|"time":"[^"]*"/, "", config)
      is_built = config == built
      for (i = 1; i <= count; i++) if (has(config, address[i]) != wanted) right = 0
    }
    is_message("Creating load-balancer") {
      service = $0; sub(/.*serviceName"?[=:]"?/, "", service); sub(/[@ "].*/, "", service)
      for (i = 1; i <= count; i++) delete routed[service, i]
      services[service] = is_built = 1; built = config
    }
    is_message("Creating server") { for (i = 1; i <= count; i++) if (has($0, address[i])) routed[service, i] = 1 }
    END {
      for (i = 1; i <= count; i++) {
        is_routed = 0
        for (each in services) if ((each, i) in routed && counts(each)) is_routed = 1
        if (is_routed != wanted) right = 0
      }
      exit right && is_built ? 0 : is_known ? 2 : 1
    }
    function has(text, group,    each, i, last) {
      last = split(group, each, ",")
      for (i = 1; i <= last; i++) if (each[i] != "" && index(text, "//" each[i] ":")) return 1
      return 0
    }
    function counts(service) {
      if (wanted) return index(service, "kp-gate-") != 1
      return index(config, "\"" service "\":") || index(config, "\"" service "\\\":")
    }
    function is_message(message) {
      return $0 ~ ("^[^ ]+ DBG [^ ]+ > " message " ") ||
        $0 ~ ("^time=\"[^\"]*\" level=debug msg=\"" message "[ :\"]") ||
        ($0 ~ /^[{]/ && $0 ~ /[{,]"level":"debug"/ && $0 ~ ("[{,]\"(message|msg)\":\"" message "[ :\"]"))
    }'
}

is_readable() {
  case "$driver" in json-file | local | journald) return 0 ;; esac
  [ -n "$readable" ] || { docker logs --tail 1 traefik > /dev/null 2>&1 && readable=yes || readable=no; }
  [ "$readable" = yes ]
}

can_be_asked() {
  case "$proxy" in
    *[Ll][Oo][Gg].[Ff][Ii][Ll][Ee][Pp][Aa][Tt][Hh]=*) return 1 ;;
    'true '*[Ll][Oo][Gg].[Ll]evel=[Dd][Ee][Bb][Uu][Gg]*) is_readable ;;
    *) return 1 ;;
  esac
}

ask_proxy() { if proxy_routes "$@"; then agreed=$((agreed + 1)); else agreed=0; fi; }

# Until the proxy sends nothing to the noted servers any more. Traefik applies a change every two seconds at most
# (`providersThrottleDuration`); Kamal 1.9 waits five. Only the end of the log is read at first: Docker reads a long one
# from its beginning to find the lines since then, which takes a tenth of a second for ten megabytes. A busy proxy may have
# logged more, so after that all is read, and once nothing new comes what was logged before, too: the proxy may never have
# had the server. A log that was begun anew meanwhile may never tell: then the fixed time has to do, too.
await_dropped() {
  [ -z "$unsure" ] || sleep 2
  [ -n "$servers$unknown" ] || return 0
  if [ -n "$unknown" ] || ! can_be_asked; then
    case "$proxy" in 'true '*) sleep 5 ;; esac
    return 0
  fi
  asked=0 lines=1000
  until [ "$agreed" -ge 2 ] || [ "$asked" -ge 150 ]; do
    case "$agreed" in 0) sleep 0.1 ;; *) sleep 0.05 ;; esac
    asked=$((asked + 1))
    [ "$asked" -le 3 ] || lines=all
    if [ "$asked" -eq 50 ]; then
      reaches_back "$(date -u -d "@$noted" +%Y-%m-%dT%H:%M:%S)" || return 0
      noted=$((noted - 120))
      logged=
    fi
    ask_proxy 0 "$lines"
  done
  [ "$agreed" -ge 2 ] || echo "kp-note $noted_names: 15 s after it left Docker's list of healthy containers the proxy's log did not show that it was dropped; it is stopped all the same, and requests to it may fail"
}

# Where the log is a file that can be read it is looked at twenty times before Docker is asked again.
drops() {
  [ -n "$log" ] || return 1
  asked=0
  until [ "$asked" -ge 20 ]; do
    sleep 0.05
    asked=$((asked + 1))
    has_grown || [ "$agreed" -gt 0 ] || continue
    ask_proxy 0 all
    [ "$agreed" -lt 2 ] || return 0
  done
  return 1
}
