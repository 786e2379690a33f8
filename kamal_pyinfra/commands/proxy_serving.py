"""Does a proxy that was just started serve? Only then the next host's turn comes."""

from __future__ import annotations

from kamal_pyinfra.commands.health import PRINTABLE, STATE_FORMAT
from kamal_pyinfra.commands.proxy_routes import ASKING_SECONDS, THROTTLE_SECONDS, await_served, route_functions
from kamal_pyinfra.naming import PROXY_CONTAINER

LAST_LINES = 20

REQUIRE_SERVING = f"""proxy_failed() {{
  echo "{PROXY_CONTAINER}: $1" >&2
  echo "last lines of its log:" >&2
  docker logs --tail {LAST_LINES} {PROXY_CONTAINER} 2>&1 | {PRINTABLE} >&2
  exit 1
}}
require_serving() {{
  [ -n "$servers" ] || sleep {THROTTLE_SECONDS}
  state=$(docker inspect --format '{STATE_FORMAT}' {PROXY_CONTAINER}) || exit 1
  case "$state" in 'running '*' 0') ;; *) proxy_failed "does not stay up ($state)" ;; esac
  [ -n "$servers" ] || return 0
  case "$proxy" in
    *[Ll][Oo][Gg].[Ll]evel=[Dd][Ee][Bb][Uu][Gg]*)
      proxy_routes 1 || proxy_failed "does not route to the app after {ASKING_SECONDS} s" ;;
  esac
}}
"""
"""A proxy whose arguments are wrong exits at once, and Docker starts it again and again."""


def serving_functions() -> str:
    """The shell functions that :func:`require_serving` calls."""
    return route_functions() + REQUIRE_SERVING


def require_serving(routed: tuple[str, ...]) -> str:
    """Wait until a new proxy routes to every healthy one of these containers; exit 1 with its log if it does not.

    Args:
        routed: names of the containers behind it, of whatever service.
    """
    return f"{await_served(routed)} && require_serving" if routed else "servers= && require_serving"
