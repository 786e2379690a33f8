# What containers of a host wrote, and what they write. The script defines `list_containers` and `show_chosen`, which shows
# the log of one.

# The last lines of every container, with its name in front; `list_containers` prints the names.
show_recent() {
  names=$(list_containers) || exit 1
  for name in $names; do show_chosen "$name" | sed "s/^/$name | /"; done
  true
}

# ID BYTES. A longer line than these could have another container's in its middle, for a pipe takes 4,096 bytes at once
# (PIPE_BUF).
marked() {
  if [ -n "$line_buffered" ]; then
    stdbuf -oL fold -b -w "$2" | LC_ALL=C stdbuf -oL sed "s/^/line $1 /"
  else
    while IFS= read -r text || [ -n "$text" ]; do printf 'line %s %s\n' "$1" "$text"; done
  fi
}

# ID SINCE
show_log() {
  if [ -n "$2" ]; then
    docker logs --timestamps --follow --since "$2" "$1"
  else
    show_chosen "$1"
  fi
}

# BYTES. All containers in one session: `list_containers` prints `ID NAME LABEL` for each, and the script defines `show_kept`,
# which leaves out of `show_log` what is not wanted. One that is replaced by another of the same name has another id. One that is started again is followed again; what is
# shown twice then is left out by the reader, who knows how far he was.
follow_all() {
  line_buffered=''
  ! command -v stdbuf > /dev/null || line_buffered=--line-buffered
  rounds=0
  while :; do
    rounds=$((rounds + 1))
    echo round
    listed=$(list_containers) || kill -TERM 0
    now=$(date +%s)
    while read -r id name label; do
      case $id in '' | *[!0-9a-f]*) continue ;; esac
      echo "container $id $name $label"
      follower='' since=''
      eval "follower=\${follower_$id:-} since=\${since_$id:-}"
      if [ -z "$follower" ] || ! kill -0 "$follower" 2> /dev/null; then
        echo "begin $id"
        show_kept "$id" "$since" | marked "$id" "$1" &
        eval "follower_$id=$!"
      fi
      eval "since_$id=$((now - 2))"
    done << END
$listed
END
    sleep 1
  done
}
