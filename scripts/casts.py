"""Record docs/casts/ on the lab: commands are typed in a terminal as the quickstart has them, and all is real.

The recordings are asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/); ``scripts/docs`` draws them.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
sys.path.insert(0, str(CHECKOUT))

from tests.e2e.project import Project  # noqa: E402 - scripts are run from anywhere
from tests.lab import images  # noqa: E402
from tests.lab.lab import Lab  # noqa: E402

CASTS = CHECKOUT / "docs/casts"
WIDTH, HEIGHT = 92, 30
KEYSTROKE, THOUGHT = 0.05, 0.8
"""Seconds between two keys, and before and after a command."""
LIMIT = 120
REGISTRY_PORT = 5555
GIT = "[user]\n\tname = Dev\n\temail = dev@example.com\n"


class Recording:
    """What a terminal shows, and when.

    Args:
        title: of the whole.
        project: in whose folder commands run.
    """

    def __init__(self, title: str, project: Project) -> None:
        self.project = project
        self.version = "v1"
        self.now = 0.0
        size = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": title}
        self.lines = [json.dumps(size)]

    def show(self, text: str, after: float = 0.0) -> None:
        """Something appears, so many seconds later."""
        self.now += after
        self.lines.append(json.dumps([round(self.now, 3), "o", text], ensure_ascii=False))

    def type(self, line: str) -> None:
        """A prompt, and the keys one by one."""
        self.show("\x1b[1m$ \x1b[0m")
        for number, key in enumerate(line):
            self.show(key, THOUGHT if number == 0 else KEYSTROKE)
        self.show("\r\n", THOUGHT / 2)

    def export(self, version: str) -> None:
        """Name the version that is meant from here on."""
        self.type(f"export VERSION={version}")
        self.version = version

    def run(self, line: str, *, code: int = 0) -> None:
        """Type a command and record all that it shows."""
        self.type(line)
        began, offset = time.monotonic(), self.now
        read, write = pty.openpty()
        ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        environment = self.project.environment(self.version) | {"TERM": "xterm-256color", "COLORTERM": ""}
        environment.pop("COLUMNS")
        process = subprocess.Popen(  # noqa: S603 - no shell, and the lines stand below
            line.split(), cwd=self.project.folder, env=environment, stdin=write, stdout=write, stderr=write
        )
        os.close(write)
        try:
            self._read(read, began, offset)
        finally:
            os.close(read)
            process.send_signal(signal.SIGTERM)
        if process.wait(LIMIT) != code:
            raise SystemExit(f"{line}: exit code {process.returncode}, not {code}\n" + "\n".join(self.lines[-20:]))
        self.show("", THOUGHT)

    def _read(self, terminal: int, began: float, offset: float) -> None:
        rest = b""
        while select.select([terminal], [], [], LIMIT)[0]:
            try:
                found = os.read(terminal, 65536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                return
            whole, rest = _whole_characters(rest + found)
            self.now = offset + time.monotonic() - began
            self.show(whole)
        raise SystemExit("the command stands still")

    def save(self, name: str) -> None:
        """Write it, with nothing of this machine in it."""
        text = "\n".join(self.lines) + "\n"
        for secret in (str(CHECKOUT), str(self.project.folder), self.project.lab.registry.server, str(Path.home())):
            if secret in text:
                raise SystemExit(f"{name}: {secret} is in the recording")
        CASTS.mkdir(exist_ok=True)
        (CASTS / f"{name}.cast").write_text(text)


def _whole_characters(found: bytes) -> tuple[str, bytes]:
    for cut in range(4):
        try:
            return found[: len(found) - cut].decode(), found[len(found) - cut :]
        except UnicodeDecodeError:
            continue
    return found.decode(errors="replace"), b""


def deploy(project: Project) -> Recording:
    """A new version, looked at, put into service, and taken back."""
    told = Recording("kp plan, kp deploy, kp status, kp rollback", project)
    told.export("v2")
    for line in ("kp plan", "kp deploy", "kp status", "kp rollback v1", "kp history -n 3"):
        told.run(line)
    return told


def failure(project: Project) -> Recording:
    """A version that never gets healthy on one host."""
    sick = project.config["servers"]["web"]["hosts"][1]
    project.set_env(COLOR="blue", APP_UNHEALTHY_ON=sick)
    told = Recording("kp deploy with a version that does not get healthy", project)
    told.export("v3")
    told.run("kp deploy", code=1)
    told.run("kp status")
    return told


STORIES: dict[str, Callable[[Project], Recording]] = {"deploy": deploy, "failure": failure}


def project_of(lab: Lab, folder: Path) -> Project:
    """The sample app on three hosts, without a registry, with its first version in service."""
    registry = {"server": f"localhost:{REGISTRY_PORT}", "image": images.wanted()["registry"]}
    project = Project.create(lab, folder, registry=registry, asset_path=None)
    project.change(lambda config: config["env"].pop("secret"))
    project.change(lambda config: config.pop("asset_path"))
    (folder / "home").mkdir()
    (folder / "home/.gitconfig").write_text(GIT)
    project.env |= {"HOME": str(folder / "home"), "PATH": f"{CHECKOUT / '.venv/bin'}:{os.environ['PATH']}"}
    for host in ("web1", "web2", "job1"):
        lab.reset(host, images=False)
        account = lab.registry
        log_in = f"docker login -u {account.username} --password-stdin {account.server}"
        pull = f"docker pull -q {lab.traefik_image} && docker logout {account.server}"
        lab.ssh(host, f"{log_in} && {pull}", input=account.password)
    project.kp("setup", version="v1")
    return project


def main() -> None:
    """Record each story, and leave the hosts and this machine's Docker as they were."""
    lab = Lab.load()
    with tempfile.TemporaryDirectory(prefix="shop") as folder:
        project = project_of(lab, Path(folder))
        try:
            for name, story in STORIES.items():
                story(project).save(name)
        finally:
            lab.docker("rm", "--force", "--volumes", f"kp-registry-{REGISTRY_PORT}", check=False)
            lab.docker("volume", "rm", f"kp-registry-{REGISTRY_PORT}", check=False)


if __name__ == "__main__":
    main()
