# Assets of the new version come out of its image, and both versions can serve both versions' files. A folder that is not
# there yet is no container's, so it is filled at once; one that a container mounts may hold links.

# FOLDER. A link to elsewhere in the folder is as good as a copy of what it names; a pipe or a device is no asset.
tidy_assets() {
  # shellcheck disable=SC2016
  [ ! -d "$1" ] || find "$1" ! -type f ! -type d -exec sh -c 'root=$1; shift
    for path; do
      if [ -L "$path" ]; then
        case "$(readlink "$path")" in */* | . | ..) ;; *) continue ;; esac
        file=$(readlink -f "$path")
        case "$file" in "$root"/*)
          [ ! -f "$file" ] || { cp "$file" "$path.kp" && mv -fT "$path.kp" "$path" && continue; } ;;
        esac
      fi
      echo "$path is no file, or a link out of the assets: left out" >&2
      rm -f "$path"
    done' sh "$(cd "$1" && pwd -P)" {} +
}

# SOURCE TARGET. A file that is there stays as it is.
fill_assets() {
  source=$(cd "$1" && pwd -P) && target=$(cd "$2" && pwd -P) || return
  # shellcheck disable=SC2016
  find "$source" -type d -exec sh -c 'source=$1; target=$2; shift 2
    missing() {
      for path in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        [ -e "$path" ] || [ -L "$path" ] || continue
        [ -e "./${path##*/}" ] || [ -L "./${path##*/}" ] || printf "$2" "./${path##*/}"
      done
    }
    fill() {
      inner=${1#"$source"}; rest=${inner#/}
      cd -P "$target" || exit
      while [ -n "$rest" ]; do
        below=$PWD/${rest%%/*}
        cd -P "./${rest%%/*}" 2> /dev/null && [ "$PWD" = "$below" ] ||
          { echo "$target$inner: a container has put something else there; it gets no assets" >&2; exit 0; }
        case "$rest" in */*) rest=${rest#*/} ;; *) rest= ;; esac
      done
      [ -n "$(missing "$1" x)" ] || exit 0
      missing "$1" "%s\\0" | tar -C "$1" --null --no-recursion -T - -c | tar --skip-old-files -x
    }
    for folder; do ( fill "$folder" ) || exit; done' sh "$source" "$target" {} +
}

# HELPER IMAGE SOURCE TARGET. Nothing is started: Kamal runs a helper container that sleeps; a created one will do. One that
# a killed run left is replaced.
extract_assets() {
  umask 022
  rm -rf "$4" && mkdir -p "$4" || return
  docker create --name "$1" "$2" true > /dev/null 2>&1 || {
    docker rm -f "$1" > /dev/null 2>&1
    docker create --name "$1" "$2" true > /dev/null || return
  }
  docker cp -L "$1:$3/." "$4" && tidy_assets "$4" && chmod -R a+rX "$4"
}

# EXTRACTED VOLUME [OLD_EXTRACTED OLD_VOLUME]… Fills the new container's folder, and lets old and new ones share.
share_assets() {
  umask 022
  new=$1 volume=$2
  shift 2
  if [ -d "$volume" ]; then
    fill_assets "$new" "$volume" || return
  else
    mkdir -p "$volume" && tar -C "$new" -c . | tar -C "$volume" --skip-old-files -x || return
  fi
  while [ "$#" -gt 0 ]; do
    share_if_there "$new" "$2" && share_if_there "$1" "$volume" || return
    shift 2
  done
}

# SOURCE TARGET
share_if_there() {
  if [ -d "$1" ] && [ -d "$2" ]; then
    tidy_assets "$1" && fill_assets "$1" "$2"
  fi
}
