"""Commands for app containers: run, start, cords, assets, release command."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.naming import RELEASE_LABEL, assets_sibling
from kamal_pyinfra.plan.proxy.gate import gate_labels
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.desired import AppContainer, Assets, ReleaseCommand
from kamal_pyinfra.shell.container import SERVICE, docker_run, docker_run_once, environment, logging, volumes
from kamal_pyinfra.shell.container import labels as label_flags
from kamal_pyinfra.shell.script import chain, host_path, join, quote, quoted

START_INTERVAL = "200ms"

START_PROBES_SINCE = 25
"""Docker's major version from which on it probes a starting container more often (``--health-start-interval``)."""

PROBE_TIMEOUT = "30s"
"""Docker's default: an image may have a shorter one, for a check that does not try again by itself."""

STANDBY_SECONDS = 60
"""How long checks stand by at most; the boot of other roles begins it anew."""


def run(container: AppContainer, *, engine: str | None = None) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our digest label and what makes health show sooner.

    Args:
        engine: version of the host's Docker, for example ``26.1.5``; ``None`` if it is not known.
    """
    labels = (*gate_labels(container), *hiding_labels(container.labels, container.options))
    return docker_run(
        container,
        SERVICE,
        quoted("--name", container.name, "--hostname", container.hostname),
        _identity(container, container.name),
        environment(container),
        _health(container, engine),
        _volume(container.cord, container.cord_target, mode=":ro"),
        logging(container),
        volumes(container),
        _volume(container.assets.volume, container.assets.source) if container.assets else "",
        label_flags(container, *labels),
    )


def _identity(container: AppContainer, name: str) -> str:
    return quoted("-e", f"KAMAL_CONTAINER_NAME={name}", "-e", f"KAMAL_VERSION={container.version}")


def _health(container: AppContainer, engine: str | None) -> str:
    health = container.health
    if health is None:
        return ""
    if not health.retrying_command:
        return quoted("--health-cmd", health.command, "--health-interval", health.interval)
    return quoted(
        *("--health-cmd", health.retrying_command, "--health-interval", health.interval),
        *("--health-timeout", PROBE_TIMEOUT, "--health-retries", 1),
        *(_start_probes(container) if _major(engine) >= START_PROBES_SINCE else ()),
    )


def _start_probes(container: AppContainer) -> tuple[str, ...]:
    return ("--health-start-period", f"{container.deadline}s", "--health-start-interval", START_INTERVAL)


def _major(engine: str | None) -> int:
    major = (engine or "").partition(".")[0]
    return int(major) if major.isdecimal() else 0


def _volume(source: str | None, target: str | None, *, mode: str = "") -> str:
    return f"--volume {host_path(source)}:{quoted(target)}{mode}" if source and target else ""


# A process in a container that mounts the folder writable (Kamal mounts it so) may put a link in place of a file. So
# nothing in there is ever opened: files are made beside the folder, where no container gets, and renamed. `mv -T` takes
# a link to a folder for what it is, and both GNU and busybox have it.
def tie_cord(directory: str) -> str:
    """Let the container that mounts this directory become healthy, whichever user its process is.

    A folder in place of the cord is one that the container made, and its own check takes it for a cord.
    """
    folder, cord, draft = quoted(directory), quoted(f"{directory}/cord"), quoted(f"{directory}.cord")
    return (
        f"( umask 022 && mkdir -p {folder} && {{ chmod 755 {folder} || :; }} && "
        f"{{ rm -f {quoted(f'{directory}/standby')} || :; }} && : > {draft} && "
        f"{{ mv -fT {draft} {cord} || {{ rm -f {draft}; [ -d {cord} ]; }}; }} )"
    )


def leave_cord_untied(directory: str) -> str:
    """Make the folder of a cord that is tied later."""
    folder = quoted(directory)
    return f"( umask 022 && mkdir -p {folder} && {{ chmod 755 {folder} || :; }} )"


def stand_by(directory: str) -> str:
    """Let the container that mounts this directory see at once when its cord is cut, not at its next health check.

    That ends by itself, so nothing has to be taken back when the run ends early.
    """
    until = f'"$(( $(date +%s) + {STANDBY_SECONDS} ))"'
    cord, standby, draft = (quoted(f"{directory}{name}") for name in ("/cord", "/standby", ".standby"))
    write = f"echo {until} > {draft} && mv -fT {draft} {standby}"
    return f"{{ [ ! -e {cord} ] || ( umask 022 && {write} ) || rm -f {draft} || :; }} 2> /dev/null"


def cut_cord(directory: str) -> str:
    """Make the container that mounts this directory unhealthy, so that the proxy drops it.

    Only the file goes: with the directory (as Kamal does) the mount would be dead and could not be tied again. What
    the container has put in its place may stay; then the container is healthy still, and that is waited for no longer
    than for any.
    """
    return f"{{ rm -f {quoted(f'{directory}/cord', f'{directory}/standby')} || :; }}"


def rename(container: str, new_name: str) -> str:
    """Let a container step aside for one of the same name; it keeps serving."""
    return f"docker rename {quoted(container, new_name)}"


def start(container: str) -> str:
    """Start a retained container."""
    return f"docker start {quoted(container)} > /dev/null"


def stop(containers: tuple[str, ...], timeout: int | None) -> str:
    """Stop containers side by side; each has ``timeout`` seconds to finish its requests."""
    return join("docker stop", "" if timeout is None else quoted("-t", timeout), quoted(*containers), "> /dev/null")


def remove(containers: tuple[str, ...]) -> str:
    """Remove stopped containers."""
    return f"docker rm {quoted(*containers)} > /dev/null"


# A link to elsewhere in the folder is as good as a copy of what it names; a pipe or a device is no asset.
TIDY_EACH = """root=$1; shift
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
done"""

FILL_EACH = """source=$1; target=$2; shift 2
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
for folder; do ( fill "$folder" ) || exit; done"""

FUNCTIONS = f"""umask 022
tidy() {{
  [ ! -d "$1" ] || find "$1" ! -type f ! -type d -exec sh -c {quote(TIDY_EACH)} sh "$(cd "$1" && pwd -P)" {{}} +
}}
copy() {{ tar -C "$1" -c . | tar -C "$2" --skip-old-files -x; }}
fill() {{
  source=$(cd "$1" && pwd -P) && target=$(cd "$2" && pwd -P) &&
    find "$source" -type d -exec sh -c {quote(FILL_EACH)} sh "$source" "$target" {{}} +
}}
fill_new() {{ if [ -d "$2" ]; then fill "$1" "$2"; else mkdir -p "$2" && copy "$1" "$2"; fi; }}
fill_if_there() {{ [ ! -d "$1" ] || [ ! -d "$2" ] || {{ tidy "$1" && fill "$1" "$2"; }}; }}
"""
"""For scripts that extract and share. A folder that is not there yet is no container's, so it is filled at once."""


def extract(assets: Assets, image: str) -> str:
    """Copy the asset folder out of the image, without starting anything.

    Kamal runs a helper container that sleeps; a created one will do. One that a killed run left is replaced.
    """
    helper, target = quoted(assets.helper), quoted(assets.extracted)
    create = f"docker create --name {helper} {quoted(image)} true > /dev/null"
    return chain(
        f"rm -rf {target} && mkdir -p {target}",
        f"{{ {create} 2>&1 || {{ docker rm -f {helper} > /dev/null 2>&1; {create}; }}; }}",
        f"docker cp -L {helper}:{quoted(assets.source)}/. {target}",
        f"tidy {target} && chmod -R a+rX {target}",
    )


def remove_helper(assets: Assets) -> str:
    """Remove the container that the assets were copied out of."""
    return f"docker rm -f {quoted(assets.helper)} > /dev/null"


def sync(assets: Assets, old_containers: tuple[str, ...]) -> str:
    """Fill the new container's folder, and let old and new ones share; a file that is there stays as it is."""
    commands = [f"fill_new {quoted(assets.extracted, assets.volume)}"]
    for old in old_containers:
        extracted, volume = assets_sibling(assets.extracted, old), assets_sibling(assets.volume, old)
        commands += [
            f"fill_if_there {quoted(assets.extracted, volume)}",
            f"fill_if_there {quoted(extracted, assets.volume)}",
        ]
    return chain(*commands)


# A shell runs its trap only once its foreground command is over, so docker runs in the background and is waited for.
# What a run that was killed left behind goes first: the lock is held, so nobody else's command can be among it. The
# name counts too, since an image may have the label. Whole seconds may be one short of the time that is over.
SCRIPT = """began=$(date +%s)
stale=$(docker ps --all --quiet --filter {filter} --filter name=-exec-) || exit
[ -z "$stale" ] || docker rm -f $stale > /dev/null
stop() {{
  trap '' TERM
  kill -KILL "$docker" 2> /dev/null
  docker rm -f {name} > /dev/null 2>&1
  [ $(($(date +%s) - began + 1)) -lt {timeout} ] || echo "the release command was killed: {timeout} seconds are over"
  exit 143
}}
trap stop TERM
{run} 2>&1 &
docker=$!
wait "$docker"
code=$?
[ "$code" -eq 0 ] || echo "the release command ended with exit code $code"
exit "$code"
"""

ONLY_ONE = frozenset({"publish", "p", "publish-all", "name", "hostname", "ip", "restart", "detach", "cidfile"})
"""Options that the container in service has, and that no second one can have beside it."""


def run_release(release: ReleaseCommand) -> str:
    """Run the command once and print what it says as it comes."""
    return SCRIPT.format(
        filter=quoted(f"label={RELEASE_LABEL}={release.owner}"),
        name=quoted(release.name),
        timeout=release.timeout,
        run=_docker_run(release),
    )


def _docker_run(release: ReleaseCommand) -> str:
    options = tuple(option for option in release.container.options if option[0] not in ONLY_ONE)
    container = replace(release.container, options=options, cmd=release.cmd)
    return docker_run_once(
        container,
        quoted("--rm", "--name", release.name),
        _identity(container, release.name),
        environment(container),
        logging(container),
        volumes(container),
        quoted("--label", f"{RELEASE_LABEL}={release.owner}"),
    )
