"""Does the proxy route to a server, or has it dropped it? Asked of Traefik itself.

Kamal's default arguments put Traefik at debug level, and there it logs each configuration that the Docker
provider hands over (``Configuration received``), then every load balancer and server of the routers that it
builds from it. A server is gone once the newest configuration lacks its address and routers were built without it,
and it is served once both have it. So the answer needs no open API port, and also works for a proxy that Kamal
started. A proxy with another log level cannot be asked: then a fixed time has to do, as in Kamal.

Three things about that log are easy to miss. A configuration may arrive while routers are still built from the one
before, so that what is built after it need not be its own: what counts are the servers that a service's load balancer
got when it was created last. A service that lost its last server is not created again: the configuration lacks it.
And nothing is built from a configuration that arrives once more while routers built from it are in use.
"""

from __future__ import annotations

from kamal_pyinfra.commands.proxy_log import PROXY_LOG, UNWRAP
from kamal_pyinfra.commands.shell import words
from kamal_pyinfra.naming import PROXY_CONTAINER

ASKING_SECONDS = 15
FIXED_SECONDS = 5
"""Kamal 1.9 waits as long."""
LOOK_BACK_SECONDS = 120
"""How far back a container may have become healthy when it is asked whether the proxy serves it."""
RECENT_LINES, RECENT_ASKS = 1000, 3
"""So often only the end of the log is read: Docker reads a long one from its beginning to find the lines since then,
which takes a tenth of a second for ten megabytes. A busy proxy may have logged more, so after that all is read."""
LOOKS_AT_LOG = 20
"""Where the log is a file that can be read: so often it is looked at before Docker is asked again."""
THROTTLE_SECONDS = 2
"""Traefik applies a change at most that often (``providersThrottleDuration``)."""

NOTED_FORMAT = (
    "{{.Name}} {{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
    f'{{{{if eq .Name "/{PROXY_CONTAINER}"}}}} {{{{.LogPath}}}} {{{{json .Args}}}}'
    "{{else}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}{{end}}"
)
"""The proxy's line tells whether it can be asked, a container's under which addresses the proxy knows it."""

NOTE_SERVERS = f"""note_servers() {{
  noted=$(( $(date +%s) - 1 )); servers=; unsure=; proxy=; log=; agreed=0
  [ "$#" -gt 0 ] || return 0
  while read -r container running health rest; do
    case "$container $health" in
      ' ') ;;
      '/{PROXY_CONTAINER} '*) proxy="$running $rest"; note_log "$rest" ;;
      *' healthy') servers="$servers $rest" ;;
      *) unsure=1 ;;
    esac
  done << EOF
$(docker inspect --format '{NOTED_FORMAT}' {PROXY_CONTAINER} "$@" 2> /dev/null)
EOF
  [ -n "$servers" ] || proxy=
  can_be_asked && [ -z "$unsure" ] || log=
}}
"""
"""Only a healthy container is in the proxy's list; another one may have left it this very moment. Docker leaves out
what is not there."""

ROUTES = rf"""proxy_routes() {{
  proxy_log "$2" | awk -v servers="$servers" -v wanted="$1" -v wrapped="$log" '
    BEGIN {{ count = split(servers, address, " ") }}
    {UNWRAP}
    /Configuration received/ && /providerName=.*docker/ {{
      right = 1; config = substr($0, index($0, "Configuration received")); is_built = config == built
      for (i = 1; i <= count; i++) if ((index($0, "//" address[i] ":") > 0) != wanted) right = 0
    }}
    /Creating load-balancer/ {{
      service = $0; sub(/.*serviceName=(.\[0m)?/, "", service); sub(/[@ ].*/, "", service)
      for (i = 1; i <= count; i++) delete routed[service, i]
      services[service] = is_built = 1; built = config
    }}
    /Creating server/ {{
      for (i = 1; i <= count; i++) if (index($0, "//" address[i] ":") > 0) routed[service, i] = 1
    }}
    END {{
      for (i = 1; i <= count; i++) {{
        is_routed = 0
        for (each in services) if ((each, i) in routed && (wanted || is_configured(each))) is_routed = 1
        if (is_routed != wanted) right = 0
      }}
      exit right && is_built ? 0 : 1
    }}
    function is_configured(service) {{
      return index(config, "\"" service "\":") || index(config, "\"" service "\\\":")
    }}'
}}
can_be_asked() {{ case "$proxy" in 'true '*[Ll][Oo][Gg].[Ll]evel=[Dd][Ee][Bb][Uu][Gg]*) ;; *) return 1 ;; esac; }}
ask_proxy() {{ if proxy_routes "$@"; then agreed=$(( agreed + 1 )); else agreed=0; fi; }}
await_routes() {{
  can_be_asked || {{ case "$proxy" in 'true '*) sleep "$2" ;; esac; return 0; }}
  asked=0; lines={RECENT_LINES}; needed=$(( 2 - $1 ))
  until [ "$agreed" -ge "$needed" ] || [ "$asked" -ge {ASKING_SECONDS * 10} ]; do
    case "$agreed" in 0) sleep 0.1 ;; *) sleep 0.05 ;; esac
    asked=$(( asked + 1 ))
    [ "$asked" -le {RECENT_ASKS} ] || lines=all
    ask_proxy "$1" "$lines"
  done
}}
await_dropped() {{
  [ -z "$unsure" ] || sleep {THROTTLE_SECONDS}
  await_routes 0 {FIXED_SECONDS}
}}
await_served() {{
  note_servers "$@"; noted=$(( noted - {LOOK_BACK_SECONDS} )); logged=
  await_routes 1 {THROTTLE_SECONDS}
}}
drops() {{
  [ -n "$log" ] || return 1
  asked=0
  until [ "$asked" -ge {LOOKS_AT_LOG} ]; do
    sleep 0.05; asked=$(( asked + 1 ))
    has_grown || [ "$agreed" -gt 0 ] || continue
    ask_proxy 0 all
    [ "$agreed" -lt 2 ] || return 0
  done
  return 1
}}
"""


def route_functions() -> str:
    """The shell functions that the other builders call."""
    return PROXY_LOG + NOTE_SERVERS + ROUTES


def note_servers(containers: tuple[str, ...]) -> str:
    """Remember when it was, under which addresses the proxy knows these containers, and whether it can be asked."""
    return f"note_servers {words(*containers)}"


def await_dropped() -> str:
    """Wait until the proxy sends nothing to the noted servers any more."""
    return "await_dropped"


def await_served(containers: tuple[str, ...]) -> str:
    """Wait until the proxy sends requests to these containers; a proxy that never will is not waited for long.

    The script brings the functions along that it needs; without containers it is empty.
    """
    return f"{{ {route_functions()}await_served {words(*containers)}; }}" if containers else ""
