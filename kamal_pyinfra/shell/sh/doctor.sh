# What a host has of what a deploy needs.

disk() { df -Pk "$1" 2> /dev/null | awk -v path="$1" 'NR == 2 { print "disk", $2, $4, path }'; }

# URL → the status
http_status() {
  if command -v curl > /dev/null; then
    curl -sk -o /dev/null -m 5 -w '%{http_code}' "$1"
  else
    wget --no-check-certificate -q -T 5 -t 1 -S -O /dev/null "$1" 2>&1 |
      awk '$1 ~ /^HTTP\// { code = $2 } END { print code ? code : "000" }'
  fi
}

# SERVER HOST PORT
ask_registry() {
  if command -v curl > /dev/null || command -v wget > /dev/null; then
    for scheme in https http; do
      code=$(http_status "$scheme://$1/v2/")
      case "$code" in
        [1-9]*)
          echo "registry $scheme $code"
          return
          ;;
      esac
    done
    echo 'registry failed'
  elif command -v bash > /dev/null; then
    # shellcheck disable=SC2016
    if timeout 5 bash -c 'exec 3<> "/dev/tcp/$1/$2"' bash "$2" "$3" 2> /dev/null; then
      echo 'registry tcp'
    else
      echo 'registry failed'
    fi
  fi
}

# FOLDER [SERVER HOST PORT]
examine_host() {
  echo "clock $(date +%s)"
  echo "user $(id -un)"
  echo "cpus $(nproc 2> /dev/null || grep -c '^processor' /proc/cpuinfo)"
  awk '/^MemTotal:/ { print "memory", $2 }' /proc/meminfo
  disk "$(pwd)"
  cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | awk '$4 == "0A" { sub(/.*:/, "", $2); print "listening", $2 }'
  ! command -v ss > /dev/null || ss -Hltnp | awk '
    { port = $4; sub(/.*:/, "", port) }
    match($0, /users:\(\("[^"]*/) { print "program", port, substr($0, RSTART + 9, RLENGTH - 9) }'
  if ! command -v docker > /dev/null; then
    echo docker-missing
  elif engine 10; then
    docker ps --format 'container {{.Names}} {{.Ports}}'
    disk "$(docker info --format '{{.DockerRootDir}}')"
  fi
  [ "$#" -eq 1 ] || ask_registry "$2" "$3" "$4"
  folder=$1
  while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
  if [ -d "$folder" ] && [ -w "$folder" ]; then echo writable; fi
  echo end
}
