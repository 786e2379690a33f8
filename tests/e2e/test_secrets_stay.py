"""No secret leaves its box: searched for in output, process lists and files."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from tests.e2e.project import Project

PATTERNS = "/dev/shm/kp-watch"
# The patterns come on standard input, so that the watch does not find itself. It ends when their file goes.
WATCH = (
    f"cat > {PATTERNS}; looks=0; while [ -e {PATTERNS} ] && [ $looks -lt 10000 ]; do "
    f"cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' '\\n' | grep -F -f {PATTERNS}; "
    "sleep 0.02; looks=$(( looks + 1 )); done"
)


class ProcessWatch:
    """Samples the process lists of this machine and of a host, every 20 ms, for secrets."""

    def __init__(self, project: Project, secrets: tuple[str, ...]) -> None:
        self.project = project
        self.secrets = secrets
        self.hits: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._watch_here)]
        self.remote: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ProcessWatch:
        lab = self.project.lab
        for host in ("web1", "job1"):
            process = subprocess.Popen(
                [*lab.ssh_argv(host), WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            if process.stdin is None:
                raise AssertionError("no standard input")
            process.stdin.write(("\n".join(self.secrets) + "\n").encode())
            process.stdin.close()
            self.remote.append(process)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        for host in ("web1", "job1"):
            self.project.lab.ssh(host, f"rm -f {PATTERNS}")
        for process in self.remote:
            if process.stdout is not None:
                self.hits += process.stdout.read().decode(errors="replace").splitlines()
                process.stdout.close()
            process.wait(timeout=30)

    def _watch_here(self) -> None:
        while not self.over.wait(0.02):
            for process in Path("/proc").iterdir():  # a glob fails where a process ends under it
                if not process.name.isdecimal():
                    continue
                try:
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                self.hits += [line for secret in self.secrets if secret in line]


@pytest.fixture
def secrets(project: Project) -> tuple[str, ...]:
    return (project.env["TOP_SECRET"], project.lab.registry.password)


def test_no_secret_is_seen_anywhere(project: Project, secrets: tuple[str, ...]) -> None:
    """During setup, a deploy and a failing deploy no secret may be in output, process lists or other files."""
    said = []
    with ProcessWatch(project, secrets) as watch:
        for arguments in (("setup", "-v"), ("plan", "--json"), ("deploy", "-v"), ("config",), ("details",)):
            done = project.kp(*arguments, version="v1" if arguments[0] == "setup" else "v2")
            said.append(done.stdout + done.stderr)
        project.set_env(APP_CRASH_AFTER="0")
        failed = project.kp("deploy", "-v", version="v3", code=1)
        said.append(failed.stdout + failed.stderr)
        project.set_env(COLOR="blue")
        door = project.pyinfra("-y", "-vvv", "--debug", "inventory.py", "deploys/deploy.py", version="v4")
        said.append(door.stdout + door.stderr)
    assert watch.hits == []
    for text in said:
        for secret in secrets:
            assert secret not in text
    for host in ("web1", "job1"):
        for secret in secrets:
            found = project.lab.ssh(
                host,
                "grep -rlsF --exclude-dir=proc --exclude-dir=sys --exclude-dir=docker --exclude-dir=containerd "
                "-f - /root /home /tmp /var/log /var/tmp /run /etc || true",
                input=secret + "\n",
            ).stdout.split()
            assert set(found) <= {f"/root/.kamal/env/roles/shop-{role}.env" for role in ("web", "job")}, found


def test_a_missing_secret_is_one_clear_line(project: Project) -> None:
    """Without a secret's value nothing may be touched; the line must name file, key and the way out."""
    del project.env["TOP_SECRET"]
    refused = project.kp("deploy", version="v1", code=3)
    assert "config/deploy.yml:" in refused.stderr
    assert "TOP_SECRET" in refused.stderr
    assert "Traceback" not in refused.stderr
