"""The release command in a container that is gone afterwards, whatever happens."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import expandable, flags, join, words
from kamal_pyinfra.naming import RELEASE_LABEL
from kamal_pyinfra.plan.command_line import split_command
from kamal_pyinfra.plan.router_names import HIDDEN
from kamal_pyinfra.plan.state import ReleaseCommand

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


def run(release: ReleaseCommand) -> str:
    """Run the command once and print what it says as it comes.

    Args:
        release: the command and its container.
    """
    return SCRIPT.format(
        filter=words(f"label={RELEASE_LABEL}={release.owner}"),
        name=words(release.name),
        timeout=release.timeout,
        run=_docker_run(release),
    )


def _docker_run(release: ReleaseCommand) -> str:
    container = release.container
    return join(
        "docker run --rm",
        words("--name", release.name, "-e", f"KAMAL_CONTAINER_NAME={release.name}"),
        words("-e", f"KAMAL_VERSION={container.version}", "--env-file", container.env_file),
        *(f"--env {words(name)}={expandable(value)}" for name, value in container.env),
        *(words(flag, value) for flag, value in container.log_options),
        *(words("--volume", volume) for volume in container.volumes),
        words("--label", f"{RELEASE_LABEL}={release.owner}"),
        flags(tuple(option for option in container.options if option[0] not in ONLY_ONE)),
        words("--label", "=".join(HIDDEN)),
        words(container.image),
        words(*split_command(release.cmd)),
    )
