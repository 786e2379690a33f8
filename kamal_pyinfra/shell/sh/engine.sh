# [SECONDS]. Podman's engine names itself to Docker's client. Podman's own client, which is called `docker` by the package
# podman-docker, knows no components, so that it fails here and is asked for its name.
version_of_engine() {
  ${1:+timeout "$1"} docker version --format '{{.Server.Version}}{{range .Server.Components}}{{if eq .Name "Podman Engine"}} podman{{end}}{{end}}'
}

# [SECONDS]. Prints one line, and fails unless that is Docker's version: `docker VERSION`, `docker-other NAME` for another engine, or
# `docker-error TEXT`, also after SECONDS, if they are given. A client that cannot read its own configuration, say, prints that beside the version.
engine() {
  if version=$(version_of_engine "$@" 2>&1); then
    case "$version" in
      *[!0-9A-Za-z.+~-]*)
        version=$(printf '%s\n' "$version" | sed -n '/^[0-9][0-9A-Za-z.+~-]*\( podman\)*$/p' | tail -n 1)
        ;;
    esac
    case "$version" in
      *' podman'*)
        echo 'docker-other podman'
        return 1
        ;;
      ?*)
        printf 'docker %s\n' "$version"
        return 0
        ;;
    esac
  fi
  case "$(docker --version 2> /dev/null)" in
    podman*) echo 'docker-other podman' ;;
    *) printf 'docker-error %s\n' "$(echo "$version" | tr '\n' ' ')" ;;
  esac
  return 1
}
