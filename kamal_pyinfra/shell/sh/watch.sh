# A new version watched on its host after the switch, while the old one still runs with its cord cut.
#
# The script defines `let_back`, `inspect_all` and `probe_all`.

# CONTAINER STATE LOG_LINES. The old version is let back into traffic here and now: the other hosts, and the deploying
# machine, need time to learn of it.
turned_bad() {
  let_back
  report "$1" "went bad after the switch ($2)" "$3"
  exit 1
}

# CONTAINER LOG_LINES RESTARTS. So often in a row Docker may not answer, which says nothing of the version: an engine may
# be started again.
keeps_well() {
  if ! state=$(state_of "$1" 2>&1); then
    ! is_absence "$state" || turned_bad "$1" "$state" "$2"
    silent=$((silent + 1))
    if [ "$silent" -ge 30 ]; then
      echo "$state" >&2
      echo "Docker does not answer" >&2
      exit 1
    fi
    return 0
  fi
  silent=0
  restarts=${state##* }
  state=${state% *}
  case "$restarts $state" in "$3 running healthy" | "$3 running none") return 0 ;; esac
  [ "$restarts" = "$3" ] || state="$state, $restarts restarts"
  turned_bad "$1" "$state" "$2"
}

restarts_of() { docker inspect --format '{{.RestartCount}}' "$1"; }

# CONTAINER LOG_LINES COMMAND
probe() {
  if outcome=$(timeout 10 sh -c "$3" 2>&1); then
    misses=0
    return 0
  fi
  misses=$((misses + 1))
  [ "$misses" -lt 2 ] || turned_bad "$1" "$(echo "$outcome" | tail -n 3 | printable)" "$2"
}

# SECONDS
keep_watch() {
  misses=0 silent=0 rounds=0
  now
  began=$now
  while :; do
    inspect_all
    [ $((rounds % 3)) -ne 0 ] || [ "$silent" -gt 0 ] || probe_all
    now
    [ $((now - began)) -lt $(($1 * 100)) ] || [ "$silent" -gt 0 ] || exit 0
    sleep 0.3
    rounds=$((rounds + 1))
  done
}
