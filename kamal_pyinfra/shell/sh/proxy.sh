# Running and replacing the proxy container, one change at a time.

# MESSAGE
proxy_failed() {
  echo "traefik: $1" >&2
  echo "last lines of its log:" >&2
  docker logs --tail 20 traefik 2>&1 | printable >&2
  return 1
}

# A proxy whose arguments are wrong exits at once, and Docker starts it again and again.
stays_up() {
  state=$(state_of traefik) || return 1
  case "$state" in 'running '*' 0') return 0 ;; esac
  proxy_failed "does not stay up ($state)"
}

# Both want the same port, so the old one is stopped before the new one starts. A killed run may leave one aside.
clear_aside() {
  ! docker inspect traefik_replaced > /dev/null 2>&1 || docker rm -f traefik_replaced > /dev/null
}

step_aside() {
  docker stop traefik > /dev/null || return 1
  docker rename traefik traefik_replaced && return 0
  docker start traefik > /dev/null
  return 1
}

bring_back() {
  docker rm -f traefik > /dev/null 2>&1
  docker rename traefik_replaced traefik && docker start traefik > /dev/null &&
    echo "the old proxy was started again" >&2
}

come_back() {
  bring_back
  return 1
}

# DIGEST. Lets the old proxy that was kept aside run again in place of the new one, which has this digest. One that
# another run has put there stays, and then it is not known what is served.
restore_proxy() {
  is_there traefik_replaced
  case $? in
    1) return 0 ;;
    2) return 1 ;;
  esac
  (
    take_proxy_lock 30
    there=$(proxy_identity 2> /dev/null)
    case "${there#* }" in "$1" | '') bring_back ;; *) exit 1 ;; esac
  )
}

# CONTAINER ASK ANSWER NAME DOORS of a container that runs, if any does; an answer through its router ends the wait. That
# no router leads to what runs does not count: the new version may bring the labels that the new proxy wants, and is asked
# about when it boots. Until then the old proxy stays aside.
works() {
  name=${1:-} ask=${2:-} answer=${3:-} server=${4:-} doors=${5:-}
  while :; do
    stays_up || return 1
    problem=$(errors provider '')
    if [ -n "$problem" ]; then
      proxy_failed "cannot learn from Docker what runs here"
      return 1
    fi
    for door in $doors; do
      try_door "$door"
      case "$outcome" in yes | gone) return 0 ;; esac
    done
    now
    if [ "$now" -ge "$deadline" ]; then
      unproven=1
      return 0
    fi
    sleep 0.2
    now
  done
}

drop_aside_if_proven() { [ -n "$unproven" ] || docker rm traefik_replaced > /dev/null; }

# SECONDS. Waits until no other run changes the proxy of this host. A file comes into place by `ln`, with its group and
# mode: one without them would count as another user's. On Debian and Ubuntu every user may make files in /run/lock.
take_proxy_lock() {
  command -v flock > /dev/null || return 0
  at=/run/lock
  [ -d "$at" ] && [ -k "$at" ] || at=/tmp
  engine=${DOCKER_HOST:-}
  engine=${engine#unix://}
  [ -S "$engine" ] || engine=/var/run/docker.sock
  me=$(id -u)
  group=$(stat -L -c %g "$engine" 2> /dev/null) || group=none
  case "$me $(id -G) " in
    "0 "* | *" $group "*) mode=660 ;;
    *) mode=600 ;;
  esac
  [ "$group" != none ] || mode=600
  [ "$mode" = 660 ] || group=$(id -g)
  number=0
  while :; do
    held=$at/kp-proxy.$number
    if [ ! -e "$held" ] && [ ! -L "$held" ]; then
      draft=$(mktemp "$at/kp-proxy.XXXXXXXX") || exit 1
      if ! chgrp "$group" "$draft" || ! chmod "$mode" "$draft"; then
        rm -f "$draft"
        exit 1
      fi
      ln "$draft" "$held" 2> /dev/null
      rm -f "$draft"
    fi
    case "$mode $(stat -c '%u %g %a %F' "$held" 2> /dev/null)" in
      "660 "*" $group 660 regular "* | "600 $me $group 600 regular "*) break ;;
    esac
    number=$((number + 1))
    if [ "$number" -ge 100 ]; then
      echo "files of other users in $at are in the way of the proxy's lock: remove $at/kp-proxy.*" >&2
      exit 1
    fi
  done
  exec 9< "$held"
  timeout "$1" flock 9 && return 0
  echo "another run has been changing the proxy of this host for $1 s: \`fuser -v $held\` names its process;" \
    "wait for it or end it, and run the same command again" >&2
  exit 1
}

proxy_identity() { docker container inspect --format '{{.Id}} {{index .Config.Labels "kp.digest"}}' traefik; }

# OLD_ID DIGEST. For a change that was decided on by a snapshot: another service may have done the same by now, or
# something else.
require_unchanged_proxy() {
  there=$(proxy_identity 2> /dev/null) || {
    error=$(proxy_identity 2>&1 > /dev/null)
    if ! is_absence "$error"; then
      echo "${error:-Docker does not answer}" >&2
      exit 1
    fi
    there=
  }
  [ "${there%% *}" != "$1" ] || return 0
  [ "${there#* }" != "$2" ] || exit 0
  echo "another run has changed the proxy meanwhile; run the same command again" >&2
  exit 1
}
