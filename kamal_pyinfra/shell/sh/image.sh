# Registry and images on a host.

# OPTIONS of `docker login`; the password comes on standard input, after its length.
log_in_to_registry() {
  { read -r length && password=$(cat) && [ "$(printf '%s\n' "$password" | wc -c)" -eq "$length" ]; } ||
    cut_short 'the password of the registry'
  printf %s "$password" | docker login "$@" --password-stdin
}

# IMAGE SERVICE. Refuses an image that does not carry the service's label (Kamal 1.9).
require_label() {
  [ "$(docker image inspect --format '{{index .Config.Labels "service"}}' "$1")" = "$2" ] || {
    echo "Image $1 is missing the 'service' label: build it with --label service=$2" >&2
    exit 1
  }
}

# IMAGE
pull_if_missing() { docker image inspect "$1" > /dev/null 2>&1 || docker pull --quiet "$1" > /dev/null; }

# IMAGE, unless a container of whomever uses it.
remove_unused_image() {
  users=$(docker ps --all --quiet --filter "ancestor=$1") || return
  [ -z "$users" ] || return 0
  if error=$(docker image inspect "$1" 2>&1 > /dev/null); then
    docker image rm "$1" > /dev/null
  elif ! is_absence "$error"; then
    echo "$error" >&2
    return 1
  fi
}
