"""One look at a host before anything is deployed to it: a script that prints facts and changes nothing."""

from __future__ import annotations

from kamal_pyinfra.commands.engine import engine_function
from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.commands.shell import words

ASKING_SECONDS = 5
SECONDS = 40
"""For the whole look; a host that needs longer counts as hung."""

FUNCTIONS = """\
disk() { df -Pk "$1" 2> /dev/null | awk -v path="$1" 'NR == 2 { print "disk", $2, $4, path }'; }
ask() {
  if command -v curl > /dev/null; then curl -sk -o /dev/null -m SECONDS -w '%{http_code}' "$1"
  else
    wget --no-check-certificate -q -T SECONDS -t 1 -S -O /dev/null "$1" 2>&1 |
      awk '$1 ~ /^HTTP\\// { code = $2 } END { print code ? code : "000" }'
  fi
}
registry() {
  if command -v curl > /dev/null || command -v wget > /dev/null; then
    for scheme in https http; do
      code=$(ask "$scheme://$1/v2/")
      case "$code" in [1-9]*) echo "registry $scheme $code"; return ;; esac
    done
    echo 'registry failed'
  elif command -v bash > /dev/null; then
    timeout SECONDS bash -c 'exec 3<> "/dev/tcp/$1/$2"' bash "$2" "$3" 2> /dev/null && echo 'registry tcp' ||
      echo 'registry failed'
  fi
}
""".replace("SECONDS", str(ASKING_SECONDS))

HOST = """\
echo "clock $(date +%s)"
echo "user $(id -un)"
echo "cpus $(nproc 2> /dev/null || grep -c '^processor' /proc/cpuinfo)"
awk '/^MemTotal:/ { print "memory", $2 }' /proc/meminfo
disk "$(pwd)"
cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | awk '$4 == "0A" { sub(/.*:/, "", $2); print "listening", $2 }'
! command -v ss > /dev/null || ss -Hltnp | awk '
  { port = $4; sub(/.*:/, "", port) }
  match($0, /users:\\(\\("[^"]*/) { print "program", port, substr($0, RSTART + 9, RLENGTH - 9) }'
"""

DOCKER = f"""\
{engine_function(seconds=10)}if ! command -v docker > /dev/null; then echo docker-missing
elif engine; then
  docker ps --format 'container {{{{.Names}}}} {{{{.Ports}}}}'
  disk "$(docker info --format '{{{{.DockerRootDir}}}}')"
fi
"""


def examine(*, registry: str, run_directory: str) -> str:
    """The script; it exits 0 whatever it finds.

    Args:
        registry: the registry's host, with its port unless it is the usual one.
        run_directory: the folder that a deploy would use.
    """
    name, _, port = registry.partition(":")
    script = "\n".join(
        (
            FUNCTIONS + HOST + DOCKER + (f"registry {words(registry, name, port or '443')}" if registry else ":"),
            f"folder={words(run_directory)}",
            'while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done',
            'if [ -d "$folder" ] && [ -w "$folder" ]; then echo writable; fi',
            "echo end",
        )
    )
    return guarded(script, seconds=SECONDS)
