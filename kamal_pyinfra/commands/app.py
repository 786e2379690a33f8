"""Starting, watching, draining and stopping app containers."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import expandable, flags, host_path, join, words
from kamal_pyinfra.naming import CLEAR_LABEL, DIGEST_LABEL
from kamal_pyinfra.plan.command_line import split_command
from kamal_pyinfra.plan.gate import gate_labels
from kamal_pyinfra.plan.router_names import hiding_labels
from kamal_pyinfra.plan.secret_checks import clear_labels
from kamal_pyinfra.plan.state import AppContainer, Options

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
        container: what to run.
        engine: version of the host's Docker, for example ``26.1.5``; ``None`` if it is not known.
    """
    return join(
        "docker run --detach --restart unless-stopped",
        words("--name", container.name, "--hostname", container.hostname),
        words("-e", f"KAMAL_CONTAINER_NAME={container.name}", "-e", f"KAMAL_VERSION={container.version}"),
        words("--env-file", container.env_file),
        *(f"--env {_assignment(name, value)}" for name, value in container.env),
        _health(container, engine),
        _volume(container.cord, container.cord_target, mode=":ro"),
        *(words(flag, value) for flag, value in container.log_options),
        *(words("--volume", volume) for volume in container.volumes),
        _volume(container.assets.volume, container.assets.source) if container.assets else "",
        *(words("--label", f"{name}={value}") for name, value in _labels(container)),
        words("--label", f"{DIGEST_LABEL}={container.digest}"),
        *(words("--label", f"{CLEAR_LABEL}={names}") for names in clear_labels(container.env, container.secret_names)),
        flags(container.options),
        words(container.image),
        words(*split_command(container.cmd or "")),
    )


def _labels(container: AppContainer) -> Options:
    hiding = hiding_labels(container.labels, container.options)
    return (*container.labels, *gate_labels(container), *hiding)


def _assignment(name: str, value: str) -> str:
    return f"{words(name)}={expandable(value)}"


def _health(container: AppContainer, engine: str | None) -> str:
    health = container.health
    if health is None:
        return ""
    if not health.prompt_command:
        return words("--health-cmd", health.command, "--health-interval", health.interval)
    return words(
        *("--health-cmd", health.prompt_command, "--health-interval", health.interval),
        *("--health-timeout", PROBE_TIMEOUT, "--health-retries", 1),
        *(_start_probes(container) if _major(engine) >= START_PROBES_SINCE else ()),
    )


def _start_probes(container: AppContainer) -> tuple[str, ...]:
    return ("--health-start-period", f"{container.deadline}s", "--health-start-interval", START_INTERVAL)


def _major(engine: str | None) -> int:
    major = (engine or "").partition(".")[0]
    return int(major) if major.isdecimal() else 0


def _volume(source: str | None, target: str | None, *, mode: str = "") -> str:
    return f"--volume {host_path(source)}:{words(target)}{mode}" if source and target else ""


# A process in a container that mounts the folder writable (Kamal mounts it so) may put a link in place of a file. So
# nothing in there is ever opened: files are made beside the folder, where no container gets, and renamed. `mv -T` takes
# a link to a folder for what it is, and both GNU and busybox have it.
def tie_cord(directory: str) -> str:
    """Let the container that mounts this directory become healthy, whichever user its process is.

    A folder in place of the cord is one that the container made, and its own check takes it for a cord.
    """
    folder, cord, draft = words(directory), words(f"{directory}/cord"), words(f"{directory}.cord")
    return (
        f"( umask 022 && mkdir -p {folder} && {{ chmod 755 {folder} || :; }} && "
        f"{{ rm -f {words(f'{directory}/standby')} || :; }} && : > {draft} && "
        f"{{ mv -fT {draft} {cord} || {{ rm -f {draft}; [ -d {cord} ]; }}; }} )"
    )


def leave_cord_untied(directory: str) -> str:
    """Make the folder of a cord that is tied later."""
    folder = words(directory)
    return f"( umask 022 && mkdir -p {folder} && {{ chmod 755 {folder} || :; }} )"


def stand_by(directory: str) -> str:
    """Let the container that mounts this directory see at once when its cord is cut, not at its next health check.

    That ends by itself, so nothing has to be taken back when the run ends early.
    """
    until = f'"$(( $(date +%s) + {STANDBY_SECONDS} ))"'
    cord, standby, draft = (words(f"{directory}{name}") for name in ("/cord", "/standby", ".standby"))
    write = f"echo {until} > {draft} && mv -fT {draft} {standby}"
    return f"{{ [ ! -e {cord} ] || ( umask 022 && {write} ) || rm -f {draft} || :; }} 2> /dev/null"


def cut_cord(directory: str) -> str:
    """Make the container that mounts this directory unhealthy, so that the proxy drops it.

    Only the file goes: with the directory (as Kamal does) the mount would be dead and could not be tied again. What
    the container has put in its place may stay; then the container is healthy still, and that is waited for no longer
    than for any.
    """
    return f"{{ rm -f {words(f'{directory}/cord', f'{directory}/standby')} || :; }}"


def rename(container: str, new_name: str) -> str:
    """Let a container step aside for one of the same name; it keeps serving."""
    return f"docker rename {words(container, new_name)}"


def start(container: str) -> str:
    """Start a retained container."""
    return f"docker start {words(container)} > /dev/null"


def stop(containers: tuple[str, ...], timeout: int | None) -> str:
    """Stop containers side by side; each has ``timeout`` seconds to finish its requests."""
    return join("docker stop", "" if timeout is None else words("-t", timeout), words(*containers), "> /dev/null")


def remove(containers: tuple[str, ...]) -> str:
    """Remove stopped containers."""
    return f"docker rm {words(*containers)} > /dev/null"
