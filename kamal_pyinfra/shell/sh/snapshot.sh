# All that the plan needs to know about a host. Nothing is changed, and the exit code is 0 also where Docker is missing or
# silent. Each line begins with its kind; `end` is the last one.
#
# The script defines `show_files`, which shows what Docker need not be asked for, and `show_of_engine`, which shows images
# and edited files.

# DIRECTORY…
show_directories() { for path in "$@"; do [ ! -d "$path" ] || printf 'directory %s\n' "$path"; done; }

# Rules for awk that come before others, in `sums`: 16 bits for each line tell which variable changed, and nothing more.
# `check` of kamal_pyinfra.plan.state.desired is the same sum.
know_sums() {
  sums='BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%c", i)] = i }
    function sum(line, n, i) {
      n = 7; for (i = 1; i <= length(line); i++) n = (n * 31 + byte[substr(line, i, 1)]) % 65521
      return n
    }
    function say(kind, line, owner) {
      if (index(line, "=")) print kind, sum(line), substr(line, 1, index(line, "=") - 1), owner
    }
    '
}

# PATH… of env files
show_env_files() {
  for path in "$@"; do
    shift
    [ ! -f "$path" ] || set -- "$@" "$path"
  done
  [ "$#" -gt 0 ] || return 0
  sha256sum "$@" | for mode in $(stat -c %a "$@"); do
    read -r digest path
    printf 'file %s %s %s\n' "$digest" "$mode" "$path"
  done
  know_sums
  LC_ALL=C awk "$sums"'{ say("file-check", $0, FILENAME) }' "$@"
}

# PATH… of files of which only the presence counts
show_logs() { for path in "$@"; do [ ! -f "$path" ] || printf 'file - - %s\n' "$path"; done; }

# PATH… of accessories' files. A container may mount one writable: what it made a link is not what was uploaded; of what it
# made larger than 256 MiB no more is read, so that it counts as another file, and is sent anew.
show_uploads() {
  for path in "$@"; do
    [ ! -f "$path" ] || [ -L "$path" ] || printf 'upload %s %s %s\n' \
      "$(head -c 268435456 "$path" | sha256sum | cut -c1-64)" "$(stat -c %a "$path")" "$path"
  done
}

# FOLDER of cords
show_cords() {
  for path in "$1"/*; do
    [ -d "$path" ] || continue
    if [ -f "$path/cord" ] && [ ! -L "$path/cord" ]; then state='tied'; else state='cut'; fi
    printf 'cord %s %s\n' "$state" "$path"
  done
}

# DIRECTORY of runs
show_run_directory() {
  show_cords "$1/cords"
  for path in "$1"/env/roles/*.env; do [ ! -f "$path" ] || printf 'env-file %s\n' "$path"; done
  for path in "$1"/assets/extracted/* "$1"/assets/volumes/*; do [ ! -d "$path" ] || printf 'assets %s\n' "$path"; done
}

# PATH
show_record() { [ ! -f "$1" ] || printf 'record %s\n' "$(tr -d '\n' < "$1")"; }

# DIRECTORY
show_deploy_lock() {
  echo "lock-mark $(lock_mark "$1")"
  [ ! -d "$1" ] || echo "lock $(lock_content "$1") $(lock_left "$1")"
}

# KEY, quoted as in Docker's configuration
show_login() { ! grep -qsF "$1" "${DOCKER_CONFIG:-$HOME/.docker}/config.json" || echo login; }

# REFERENCE…
show_images() {
  for reference in "$@"; do
    shift
    set -- "$@" --filter "reference=$reference"
  done
  docker image ls --no-trunc "$@" --format 'image {{.Repository}}:{{.Tag}} {{.ID}}' ||
    echo docker-error the images cannot be listed
}

# LISTED TEMPLATE. What `docker ps` prints of a container to inspect is its id; who links to it gives it more names.
inspect_listed() {
  listed=$(docker ps --all --no-trunc --format "$1") || return 1
  # shellcheck disable=SC2046
  [ -z "$listed" ] || docker inspect --format "$2" $(echo "$listed" | sort -u)
}

# LISTED TEMPLATE IMAGE_TEMPLATE [secrets]. A container may vanish between the two commands; then both are given again. Of an
# engine that goes meanwhile, nothing that was printed counts. Nothing of a secret is printed: what `sha256sum` reads comes
# through a pipe, and one process does it for all containers.
show_containers() {
  all=$(inspect_listed "$1" "$2" 2> /dev/null) || all=$(inspect_listed "$1" "$2" 2> /dev/null) ||
    if error=$(version_of_engine 2>&1 > /dev/null); then
      all=$(inspect_listed "$1" "$2") || exit 1
    else
      all=
      printf 'docker-error %s\n' "$(echo "$error" | tr '\n' ' ')"
    fi
  know_sums
  printf '%s\n' "$all" | LC_ALL=C sort | LC_ALL=C awk -v secrets="$4" "$sums"'
    /^container / { print }
    /^clear / { print "clear-check", sum($3), $4, $2 }
    secrets && /^mine / { ids[++count] = $2 }
    /^held / {
      line = substr($0, 6); id = substr(line, 1, index(line, " ") - 1); line = substr(line, length(id) + 2)
      held[id, ++lines[id]] = line; say("check", line, id)
    }
    END {
      for (i = 1; i <= count; i++) {
        printf "secrets %s ", ids[i]
        fflush(); printf "" | "sha256sum"
        for (n = 1; n <= lines[ids[i]]; n++) print held[ids[i], n] | "sha256sum"
        close("sha256sum")
      }
    }'
  show_image_defaults "$3"
}

# IMAGE_TEMPLATE of the images in `all`. Labels and names inside the JSON may look like an id: only one that is alone on its
# line counts, and its shape is checked before it becomes a word of a command.
show_image_defaults() {
  used=$(printf '%s\n' "$all" | LC_ALL=C sed -n 's/^of-image \(sha256:[0-9a-f]\{64\}\)$/\1/p' | sort -u)
  # shellcheck disable=SC2086
  [ -z "$used" ] || docker image inspect --format "$1" -- $used 2> /dev/null || true
}

# REPOSITORY. What comes through the pipe, then when the newest images of versions that may be surplus were built, and last
# got a tag on this host; before the year 1 if one was only pulled. Where each version has a container (its image is in
# `used`), and a tag alone, none of them is in anybody's way: then nothing is asked.
show_ages() {
  lines=$(cat)
  printf '%s\n' "$lines"
  # shellcheck disable=SC2086,SC2116
  ids=$(printf '%s\n' "$lines" | LC_ALL=C awk -v of="image $1:" -v used=" $(echo $used) " '
    index($0, of) == 1 && $NF ~ /^sha256:[0-9a-f]+$/ && length($NF) == 71 {
      if (substr($0, length(of) + 1) !~ /^(latest[- ]|<none> )/ && !tags[$NF]++) ids[++count] = $NF
    }
    END { for (i = 1; i <= count; i++) if (tags[ids[i]] > 1 || !index(used, " " ids[i] " ")) print ids[i] }' | head -n 100)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || {
    docker image inspect --format 'image-age {{.ID}} {{.Metadata.LastTagTime.Unix}} {{.Created}}' -- $ids 2> /dev/null
    echo "now $(date +%s)"
  }
}

# REPOSITORY LISTED TEMPLATE IMAGE_TEMPLATE [secrets]. Files and images are read while the containers are inspected; the pipe
# keeps what is shown of them until that is through.
take_snapshot() {
  printf 'user %s\nhome %s\n' "$(id -un)" "$PWD"
  command -v docker > /dev/null || {
    show_files
    echo docker-missing
    echo end
    exit 0
  }
  repository=$1
  shift
  {
    show_files
    if engine; then show_of_engine; fi
  } | {
    show_containers "$@"
    show_ages "$repository"
  } || exit 1
  echo end
}
