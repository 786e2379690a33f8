# Installing Docker: the distribution's package first, Docker's own script where there is none; then the service, then the
# group. On RHEL and its kin the package `docker` is podman's, and Docker's own script does not know all of them; so there
# it comes from Docker's own repository (https://docs.docker.com/engine/install/centos).

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

use_repository() {
  as_root curl -fsSL -o /etc/yum.repos.d/docker-ce.repo "https://download.docker.com/linux/$1/docker-ce.repo" &&
    as_root dnf install -y -q docker-ce docker-ce-cli containerd.io
}

engine_answers() { as_root docker version > /dev/null 2>&1; }

install_docker() {
  case "$(docker --version 2> /dev/null)" in
    podman*)
      echo "podman stands in for docker; kp needs Docker: remove podman-docker, then run the same command again" >&2
      exit 1
      ;;
  esac
  ! docker version > /dev/null 2>&1 || exit 0
  if ! as_root true 2> /dev/null; then
    fault="is missing"
    ! command -v docker > /dev/null || fault="does not answer"
    echo "Docker $fault, and $(id -un) is neither root nor may use sudo without password" >&2
    exit 1
  fi
  if ! command -v docker > /dev/null; then
    if command -v apt-get > /dev/null; then
      as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
      packages=docker.io
      ! apt-cache show docker-cli > /dev/null 2>&1 || packages="$packages docker-cli"
      # shellcheck disable=SC2086
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages > /dev/null
    elif command -v dnf > /dev/null; then
      # shellcheck source=/dev/null
      system=$(. /etc/os-release && echo "$ID")
      case "$system" in
        amzn) as_root dnf install -y -q docker ;;
        fedora | rhel) use_repository "$system" ;;
        *) use_repository centos ;;
      esac
    elif command -v apk > /dev/null; then
      as_root apk add -q docker
    fi
    command -v docker > /dev/null || {
      { curl -fsSL https://get.docker.com || wget -qO - https://get.docker.com; } | as_root sh
    }
  fi
  command -v docker > /dev/null || {
    echo "Docker could not be installed" >&2
    exit 1
  }
  if ! engine_answers; then
    if [ -d /run/systemd/system ]; then
      as_root systemctl enable --now docker
    elif command -v rc-service > /dev/null; then
      as_root rc-update add docker && as_root rc-service docker start
    else
      as_root service docker start
    fi
  fi
  tries=0
  until engine_answers; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || {
      echo "Docker does not answer" >&2
      as_root docker version > /dev/null
      exit 1
    }
    sleep 0.5
  done
  docker version > /dev/null 2>&1 || as_root usermod -aG docker "$(id -un)"
}
