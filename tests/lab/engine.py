"""The outer engine: the one that runs here, or else one that the lab starts and stops itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab import leftovers, netfilter
from tests.lab.docker import Docker
from tests.lab.names import LABEL
from tests.lab.process import LabError, as_root, locked, run, say, wait_for

RUN = Path("/run/kp-lab")
CACHE = Path("/var/lib/kp-lab")
SOCKET = RUN / "docker.sock"
PIDFILE = RUN / "docker.pid"
EXEC_ROOT = RUN / "exec"
DATA_ROOT = CACHE / "docker"
LOG = CACHE / "dockerd.log"
BEFORE = RUN / "before.json"
SERVICE = RUN / "service.json"
OURS = f"unix://{SOCKET}"
SYSTEM = "unix:///var/run/docker.sock"
UNITS = ("docker.socket", "docker.service", "containerd.service")
"""In the order in which they stop: the socket would start the service again."""
PACKAGES = ("docker.io", "iptables", "iproute2")


def machine_lock_directory() -> Path:
    """Return the folder that labs of all checkouts lock around what they share."""
    return Path(tempfile.gettempdir())


def running() -> str | None:
    """Return the address of an engine that answers here: ours, the user's current one, or the system's."""
    candidates = [OURS] if SOCKET.exists() else []
    candidates += [os.environ.get("DOCKER_HOST", ""), _current_context(), SYSTEM]
    return next((address for address in candidates if _answers(address)), None)


def ensure() -> str:
    """Return the address of a running engine; install and start one where there is none."""
    with locked(machine_lock_directory()):
        if (address := running()) is not None:
            return address
        install()
        if _has_systemd():
            start_service()
            return running() or SYSTEM
        start()
        return OURS


def install() -> None:
    """Install Docker from the distribution's packages, without letting them start it."""
    if shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") and shutil.which("docker"):
        return
    if shutil.which("apt-get") is None:
        raise LabError("no Docker engine runs here, and without apt-get the lab cannot install one")
    say("installing Docker (apt-get install docker.io)")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]
    run(as_root([*quiet, "update", "-qq"]))
    client = () if shutil.which("docker") else tuple(_client_package())
    run(as_root([*quiet, "install", "-y", "-qq", "--no-install-recommends", *PACKAGES, *client]))
    if _has_systemd():  # the packages would have them start with the machine
        run(as_root(["systemctl", "disable", "--quiet", *UNITS]), check=False)


def start_service() -> None:
    """Start the machine's own service, and note what has to be stopped again."""
    stopped = [unit for unit in UNITS if run(["systemctl", "is-active", "--quiet", unit], check=False).returncode]
    run(as_root(["mkdir", "-p", str(RUN)]))
    _write_as_root(BEFORE, json.dumps(netfilter.snapshot()))
    _write_as_root(SERVICE, json.dumps(stopped))
    run(as_root(["systemctl", "start", "docker"]))
    wait_for("docker, started by systemd", lambda: running() is not None, seconds=60)


def start() -> None:
    """Start dockerd by hand, with folders of its own."""
    leftovers.end_of_killed_engine(PIDFILE, EXEC_ROOT, DATA_ROOT)
    run(as_root(["mkdir", "-p", str(RUN), str(DATA_ROOT)]))
    if not BEFORE.exists():  # one that is there was noted before an engine that was killed
        _write_as_root(BEFORE, json.dumps(netfilter.snapshot()))
    say(f"starting a Docker engine at {SOCKET}")
    logged = as_root(["sh", "-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", str(LOG), *engine_arguments()])
    process = subprocess.Popen(logged, stdin=subprocess.DEVNULL, start_new_session=True)
    wait_for("dockerd to answer or end", lambda: _answers_caller() or process.poll() is not None, seconds=60)
    if process.poll() is not None:
        end = run(as_root(["tail", "-n", "20", str(LOG)]), check=False).stdout
        raise LabError(f"dockerd ended at its start:\n{end}")


def engine_arguments() -> list[str]:
    """Return the command of the lab's own engine; its socket is root's, and becomes the caller's (:func:`start`)."""
    argv = ["dockerd", "--host", OURS, "--group", "0", "--pidfile", str(PIDFILE)]
    return [*argv, "--data-root", str(DATA_ROOT), "--exec-root", str(EXEC_ROOT)]


def _answers_caller() -> bool:
    """Whether the engine answers, with its socket given to the caller alone: who may open it is root here."""
    if SOCKET.exists() and SOCKET.stat().st_uid != os.geteuid():
        run(as_root(["chown", str(os.geteuid()), str(SOCKET)]), check=False)
    return _answers(OURS)


def stop_if_unused() -> None:
    """Stop the engine that the lab started or had started, unless somebody still uses it."""
    with locked(machine_lock_directory()):
        if not RUN.exists():
            return
        if SERVICE.exists():
            _stop_service()
            return
        if _answers(OURS) and Docker(OURS).lines("ps", "--all", "--quiet", "--filter", f"label={LABEL}"):
            say("the engine stays: another lab uses it")
            return
        _stop()


def _stop_service() -> None:
    """Stop what was not active before; nobody's containers are stopped with it."""
    address = running()
    if address is not None and Docker(address).lines("ps", "--quiet"):
        say("the engine stays: containers run on it")
        return
    stopped = json.loads(run(as_root(["cat", str(SERVICE)])).stdout)
    if stopped:
        run(as_root(["systemctl", "stop", *stopped]), check=False)
    _put_back()


def _stop() -> None:
    pid = leftovers.engine_pid(PIDFILE)
    if pid is not None:
        run(as_root(["kill", "-TERM", str(pid)]), check=False)
        wait_for("the engine to end", lambda: leftovers.engine_pid(PIDFILE) is None, seconds=30)
    leftovers.end_of_killed_engine(PIDFILE, EXEC_ROOT, DATA_ROOT)
    _put_back()


def _put_back() -> None:
    """Put the machine's network back as it was, and remove the notes about it."""
    before = run(as_root(["cat", str(BEFORE)]), check=False).stdout
    if before:
        netfilter.restore(json.loads(before))
    run(as_root(["rm", "-rf", str(RUN)]))


def drop_cache() -> None:
    """Remove what the lab's own engine kept between runs."""
    with locked(machine_lock_directory()):
        if not RUN.exists():
            run(as_root(["rm", "-rf", str(CACHE)]))


def _answers(address: str) -> bool:
    if not address.startswith("unix://") or not Path(address.removeprefix("unix://")).exists():
        return False
    try:
        argv = ["docker", "version", "--format", "{{.Server.Version}}"]
        return run(argv, check=False, env={"DOCKER_HOST": address}, timeout=20).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def _current_context() -> str:
    if shutil.which("docker") is None:
        return ""
    found = run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], check=False)
    return found.stdout.strip()


def _client_package() -> list[str]:
    known = run(["apt-cache", "show", "docker-cli"], check=False).returncode == 0
    return ["docker-cli"] if known else []


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _write_as_root(path: Path, text: str) -> None:
    run(as_root(["sh", "-c", 'cat >"$1"', "sh", str(path)]), input=text)
