# The deploy lock: a directory, so that taking it is atomic. DIRECTORY is its path in all of these.

# DIRECTORY → its details in one line
lock_content() { tr -d '\n' 2> /dev/null < "$1/details"; }

# DIRECTORY → seconds that the lease still lasts, or nothing. A lock without details is stale after 120.
lock_left() {
  # shellcheck disable=SC2003 # what is no number is left out
  expr "$({ if [ -s "$1/details" ]; then cat "$1/lease"; else expr "$(stat -c %Y "$1")" + 120; fi; } 2> /dev/null)" \
    - "$(date +%s)" 2> /dev/null
}

# DIRECTORY → what differs once somebody took or gave back a lock; nothing if the host cannot tell.
lock_mark() { stat -c %i-%y "${1%/*}" 2> /dev/null | tr -d ' '; }

# DIRECTORY SECONDS. Moved into place: half a number is never read.
write_lease() { echo $(($(date +%s) + $2)) > "$1/lease.new" && mv -f "$1/lease.new" "$1/lease"; }

# DIRECTORY CONTENT [SECONDS]
fill_lock() { echo "$2" > "$1/details" && { [ "$#" -lt 3 ] || write_lease "$1" "$3"; }; }

# DIRECTORY CONTENT [SECONDS]
acquire_lock() {
  (umask 022 && mkdir -p "${1%/*}") || exit 1
  marked=$(lock_mark "$1")
  if mkdir "$1" 2> /dev/null; then
    if ! fill_lock "$@"; then
      rm -rf "$1"
      exit 1
    fi
    echo "deploy-lock-taken $marked"
  elif [ -d "$1" ]; then
    echo "deploy-lock-held $(lock_content "$1") $(lock_left "$1")"
    base64 -d 2> /dev/null < "$1/details" | printable >&2
    exit 1
  else
    mkdir "$1"
  fi
}

# DIRECTORY
show_lock() { [ ! -d "$1" ] || echo "deploy-lock-state $(lock_content "$1") $(lock_left "$1")"; }

# SECONDS COMMAND DIRECTORY… Does it as one step among ours; without `flock` a moment is left. What we do alone takes a
# moment; any user who can open the folder can hold it.
alone_with_lock() (
  folder=${3%/*}
  [ -d "$folder" ] || exit 0
  exec 9< "$folder" || exit 1
  if command -v flock > /dev/null && ! timeout "$1" flock 9; then
    echo "another process has locked the folder $folder for $1 s: \`fuser -v $folder\` names it; end it, and run the same command again" >&2
    exit 1
  fi
  shift
  "$@"
)

# DIRECTORY CONTENT SECONDS
renew_lock() {
  if [ "$(lock_content "$1")" = "$2" ]; then write_lease "$1" "$3"; else echo deploy-lock-lost; fi
}

# DIRECTORY CONTENT [expired]
take_over_lock() {
  [ "$(lock_content "$1")" = "$2" ] || return 0
  [ "$#" -lt 3 ] || [ "$(lock_left "$1")" -le 0 ] 2> /dev/null || return 0
  rm -rf "$1"
}

# DIRECTORY CONTENT
release_own_lock() { [ "$(lock_content "$1")" != "$2" ] || rm -rf "$1"; }
