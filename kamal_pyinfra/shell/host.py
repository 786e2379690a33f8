"""Installing Docker, and the doctor's script."""

from __future__ import annotations

from kamal_pyinfra.shell.script import guarded, words

INSTALL_DOCKER = r"""
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }
use_repository() {
  as_root curl -fsSL -o /etc/yum.repos.d/docker-ce.repo "https://download.docker.com/linux/$1/docker-ce.repo" &&
    as_root dnf install -y -q docker-ce docker-ce-cli containerd.io
}
answers() { as_root docker version > /dev/null 2>&1; }
case "$(docker --version 2> /dev/null)" in podman*)
  echo "podman stands in for docker; kp needs Docker: remove podman-docker, then run the same command again" >&2
  exit 1 ;;
esac
! docker version > /dev/null 2>&1 || exit 0
if ! as_root true 2> /dev/null; then
  ! command -v docker > /dev/null || fault="does not answer"
  echo "Docker ${fault:-is missing}, and $(id -un) is neither root nor may use sudo without password" >&2
  exit 1
fi
if ! command -v docker > /dev/null; then
  if command -v apt-get > /dev/null; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    packages=docker.io
    ! apt-cache show docker-cli > /dev/null 2>&1 || packages="$packages docker-cli"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages > /dev/null
  elif command -v dnf > /dev/null; then
    system=$(. /etc/os-release && echo "$ID")
    case "$system" in
      amzn) as_root dnf install -y -q docker ;;
      fedora | rhel) use_repository "$system" ;;
      *) use_repository centos ;;
    esac
  elif command -v apk > /dev/null; then as_root apk add -q docker
  fi
  command -v docker > /dev/null || {
    { curl -fsSL https://get.docker.com || wget -qO - https://get.docker.com; } | as_root sh
  }
fi
command -v docker > /dev/null || { echo "Docker could not be installed" >&2; exit 1; }
if ! answers; then
  if [ -d /run/systemd/system ]; then as_root systemctl enable --now docker
  elif command -v rc-service > /dev/null; then as_root rc-update add docker && as_root rc-service docker start
  else as_root service docker start; fi
fi
tries=0
until answers; do
  tries=$(( tries + 1 ))
  [ "$tries" -lt 60 ] || { echo "Docker does not answer" >&2; as_root docker version > /dev/null; exit 1; }
  sleep 0.5
done
docker version > /dev/null 2>&1 || as_root usermod -aG docker "$(id -un)"
"""
"""Distribution package first, Docker's own script where there is none; then the service, then the group.

On RHEL and its kin the package ``docker`` is podman's, and Docker's own script does not know all of them; so there it
comes from Docker's own repository (https://docs.docker.com/engine/install/centos).
"""

VERSION = (
    "docker version --format '{{.Server.Version}}"
    '{{range .Server.Components}}{{if eq .Name "Podman Engine"}} podman{{end}}{{end}}\''
)
"""Podman's engine names itself to Docker's client. Podman's own client, which is called ``docker`` by the package
podman-docker, knows no components, so that it fails here and is asked for its name."""

ENGINE = f"""engine() {{
  if version=$(LIMIT{VERSION} 2>&1); then
    case "$version" in *[!0-9A-Za-z.+~-]*)
      version=$(printf '%s\\n' "$version" | sed -n '/^[0-9][0-9A-Za-z.+~-]*\\( podman\\)*$/p' | tail -n 1) ;;
    esac
    case "$version" in
      *' podman'*) echo 'docker-other podman'; return 1 ;;
      ?*) printf 'docker %s\\n' "$version"; return 0 ;;
    esac
  fi
  case "$(docker --version 2> /dev/null)" in
    podman*) echo 'docker-other podman' ;;
    *) printf 'docker-error %s\\n' "$(echo "$version" | tr '\\n' ' ')" ;;
  esac
  return 1
}}
"""


def engine_function(*, seconds: int | None = None) -> str:
    """The shell function ``engine``: it prints one line, and fails unless that is Docker's version.

    The line is ``docker VERSION``, ``docker-other NAME`` for another engine, or ``docker-error TEXT``. A client that
    cannot read its own configuration, say, prints that beside the version.

    Args:
        seconds: after which an engine that does not answer is given up.
    """
    return ENGINE.replace("LIMIT", "" if seconds is None else f"timeout {seconds} ")


ASKING_SECONDS = 5

DOCTOR_SECONDS = 40
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
    return guarded(script, seconds=DOCTOR_SECONDS)
