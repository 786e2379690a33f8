# The release command: once, in a container of its own, which is gone afterwards.

# A shell runs its trap only once its foreground command is over, so docker runs in the background and is waited for. Whole
# seconds may be one short of the time that is over.
stop_release() {
  trap '' TERM
  kill -KILL "$docker" 2> /dev/null
  docker rm -f "$name" > /dev/null 2>&1
  [ $(($(date +%s) - began + 1)) -lt "$timeout" ] ||
    echo "the release command was killed: $timeout seconds are over"
  exit 143
}

# NAME LABEL TIMEOUT and the command that runs the container. What a run that was killed left behind goes first: the lock is held, so
# nobody else's command can be among it. The name counts too, since an image may have the label.
run_release() {
  began=$(date +%s) name=$1 timeout=$3
  stale=$(docker ps --all --quiet --filter "label=$2" --filter name=-exec-) || exit
  # shellcheck disable=SC2086
  [ -z "$stale" ] || docker rm -f $stale > /dev/null
  shift 3
  trap stop_release TERM
  "$@" 2>&1 &
  docker=$!
  wait "$docker"
  code=$?
  [ "$code" -eq 0 ] || echo "the release command ended with exit code $code"
  exit "$code"
}
