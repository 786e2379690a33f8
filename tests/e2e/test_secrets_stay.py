"""No secret leaves its box: searched for in output, process lists and files."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

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


COMMANDS = (
    ("setup -v", "v1"),
    ("plan --json", "v2"),
    ("plan --out plan.json", "v2"),
    ("apply plan.json -v", "v2"),
    ("status --json", "v2"),
    ("config", "v2"),
    ("details", "v2"),
    ("doctor --json", "v2"),
    ("env push -v", "v2"),
    ("app exec -v id", "v2"),
    ("accessory logs db", "v2"),
    ("registry login -v", "v2"),
    ("rollback v1 -v", "v2"),
    ("logs", "v2"),
    ("audit", "v2"),
)
CRASH = """
import sys
from kamal_pyinfra.cli.main import main
from kamal_pyinfra.runner.session import Session
def crash(self, *_, **__):
    run = self.run
    raise RuntimeError(f"{run!r} {run.config!r} {vars(run.config)!r} {run.config._source!r} {self.__dict__!r}")
Session.round = crash
sys.argv = ["kp", "deploy", "-v"]
main()
"""


def test_no_secret_is_seen_anywhere(project: Project, secrets: tuple[str, ...]) -> None:
    """While everything is done at the highest verbosity no secret may be in output, processes, files or images."""
    for name in ("HOME", "TMPDIR"):
        project.env[name] = str(project.folder / name.lower())
        Path(project.env[name]).mkdir()
    project.change(with_accessory)
    said = {}
    with ProcessWatch(project, secrets) as watch:
        for arguments, version in COMMANDS:
            done = project.kp(*arguments.split(), version=version)
            said[arguments] = done.stdout + done.stderr
        project.set_env(APP_CRASH_AFTER="0")
        failed = project.kp("deploy", "-v", version="v3", code=1)
        said["a deploy that fails"] = failed.stdout + failed.stderr
        project.set_env(COLOR="blue")
        door = project.pyinfra("-y", "-vvv", "--debug", "inventory.py", "deploys/deploy.py", version="v4")
        said["pyinfra -vvv"] = door.stdout + door.stderr
        crashed = project.execute([sys.executable, "-c", CRASH], version="v5", code=1)
        assert "Traceback" in crashed.stderr
        said["a traceback"] = crashed.stdout + crashed.stderr
    assert watch.hits == []
    assert [(what, secret) for what, text in said.items() for secret in secrets if secret in text] == []
    assert [path for path in project.folder.rglob("*") if path.is_file() and holds(path, secrets)] == []
    assert stat.S_IMODE((project.folder / "plan.json").stat().st_mode) == 0o600
    for host in ("web1", "job1"):
        found = files_with(project, host, secrets)
        roles = {"web1": ("web",), "job1": ("job",)}[host]
        wanted = {f"600 700 /root/.kamal/env/roles/shop-{role}.env" for role in roles}
        assert found == wanted | ({"600 700 /root/.kamal/env/accessories/shop-db.env"} if host == "web1" else set())
        assert images_with(project, host, secrets) == ""


def with_accessory(config: dict[str, Any]) -> None:
    """A container besides the app that gets the secret, and a proxy that could."""
    image = config["traefik"]["image"]
    host = config["servers"]["web"]["hosts"][0]
    env = {"secret": ["TOP_SECRET"]}
    config["accessories"] = {"db": {"image": image, "cmd": "--ping", "host": host, "env": env}}


def holds(path: Path, secrets: tuple[str, ...]) -> bool:
    """Whether a file has a secret in it."""
    return any(secret.encode() in path.read_bytes() for secret in secrets)


def files_with(project: Project, host: str, secrets: tuple[str, ...]) -> set[str]:
    """Mode, mode of the folder and path of each file of a host that has a secret in it, but for Docker's own."""
    # runc-process*: how containerd hands a health check to runc; it has the environment and is gone in a moment.
    search = (
        "grep -rlsF --exclude-dir=proc --exclude-dir=sys --exclude-dir=docker --exclude-dir=containerd "
        "--exclude='runc-process*' "
        "-f - /root /home /tmp /var/log /var/tmp /run /etc /dev/shm"
    )
    show = 'while read -r file; do stat -c %a "$file"; stat -c %a "$(dirname "$file")"; echo "$file"; done'
    said = project.lab.ssh(host, f"{search} | {show}", input="\n".join(secrets) + "\n").stdout.splitlines()
    return {" ".join(said[start : start + 3]) for start in range(0, len(said), 3)}


def images_with(project: Project, host: str, secrets: tuple[str, ...]) -> str:
    """What of labels, arguments, history and layers of containers and images has a secret in it."""
    images = "docker images -q --filter label=service=shop | sort -u"
    looks = (
        "docker ps -aq | xargs docker inspect --format '{{.Name}} {{json .Config.Labels}} {{.Args}} {{.Config.Cmd}}'",
        f"{images} | xargs -n1 docker history --no-trunc",
        f"{images} | xargs docker inspect",
        f"{images} | xargs docker save",
    )
    every = "; ".join(looks)
    keep = "cat > /dev/shm/kp-patterns; "
    search = f"{{ {every}; }} | grep -aoF -f /dev/shm/kp-patterns; rm -f /dev/shm/kp-patterns"
    return project.lab.ssh(host, keep + search, input="\n".join(secrets) + "\n", check=False).stdout


def test_a_secret_of_yesterday_that_is_clear_today_is_not_shown(project: Project) -> None:
    """A variable that moved from `secret` to `clear` is planned without its old value, whatever was pushed."""
    yesterday = project.env["API_TOKEN"] = "s3cr3t-of-yesterday"
    project.change(lambda config: config["env"].update(secret=["TOP_SECRET", "API_TOKEN"], clear={"COLOR": "blue"}))
    project.kp("setup", version="v1")
    project.change(lambda config: config["env"].update(secret=["TOP_SECRET"]))
    project.set_env(COLOR="green", API_TOKEN="demo")
    del project.env["API_TOKEN"]
    for _ in range(2):
        texts = [project.kp("plan", *arguments, version="v1").stdout for arguments in ((), ("--json",))]
        assert "env API_TOKEN changed" in texts[0]
        assert "env COLOR: blue → green" in texts[0]
        seen = project.pyinfra("-vvv", "--debug", "--dry", "inventory.py", "deploys/deploy.py", version="v1")
        assert yesterday not in "".join([*texts, seen.stdout, seen.stderr])
        project.kp("env", "push", version="v1")  # now no file on the hosts knows it as a secret any more
    project.kp("deploy", version="v1")
    assert "API_TOKEN" not in project.kp("plan", version="v1").stdout


def test_a_missing_secret_is_one_clear_line(project: Project) -> None:
    """Without a secret's value nothing may be touched; the line must name file, key and the way out."""
    del project.env["TOP_SECRET"]
    refused = project.kp("deploy", version="v1", code=3)
    assert "config/deploy.yml:" in refused.stderr
    assert "TOP_SECRET" in refused.stderr
    assert "Traceback" not in refused.stderr
