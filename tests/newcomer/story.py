"""The steps of the quickstart: each line as the page has it, and what must be so once it was typed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kamal_pyinfra import __version__
from tests.lab.lab import Lab
from tests.newcomer import desk
from tests.newcomer.terminal import Seen, Terminal

SERVER = "bare1"
APP = "hello"
CHANGE = "sed -i 's/from FastAPI/in blue, from FastAPI/' app.py"


@dataclass
class Newcomer:
    """Somebody at a terminal.

    Args:
        lab: with the newcomer's machine and server.
        scratch: a folder here.
        versions: the commits so far that were deployed.
        terminal: where lines are typed.
    """

    lab: Lab
    scratch: Path
    terminal: Terminal
    versions: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The server."""
        return self.lab.hosts[SERVER]

    def log_in_again(self) -> None:
        """End the shell, and begin another."""
        self.terminal.close()
        self.terminal = log_in(self.lab)

    def own(self, text: str) -> str:
        """A text of the page with this newcomer's server and latest version."""
        return text.replace("192.0.2.10", self.address).replace("VERSION", "".join(self.versions[-1:]))

    def commit(self) -> str:
        """The current version."""
        return self.lab.ssh(desk.NAME, f"git -C {APP} rev-parse HEAD", user=desk.USER).stdout.strip()

    def greeting(self) -> str:
        """What the app says to a visitor."""
        with urllib.request.urlopen(f"http://{self.address}/", timeout=10) as answer:
            return str(json.loads(answer.read())["hello"])

    def running(self) -> list[str]:
        """The app's containers that run on the server."""
        return self.lab.ssh(SERVER, "docker ps --filter label=role --format '{{.Names}}'").stdout.split()

    def serves(self, version: str, greeting: str) -> None:
        """Fail unless a version, and it alone, serves."""
        assert self.greeting() == f"{greeting} {version}"
        assert self.running() == [f"{APP}-web-{version}"]


def log_in(lab: Lab) -> Terminal:
    """A new login shell of the newcomer's."""
    return Terminal(lab.ssh_argv(desk.NAME, desk.USER))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the page.

    Args:
        line: as it stands there.
        before: what the page's words around it ask for.
        answers: questions that it asks, and what is answered.
        code: its exit code.
        says: what must be on the screen.
        check: what must be so then.
    """

    line: str
    before: Callable[[Newcomer], None] = lambda newcomer: None
    answers: tuple[tuple[str, str], ...] = ()
    code: int = 0
    says: tuple[str, ...] = ()
    check: Callable[[Newcomer, Seen], None] = lambda newcomer, seen: None


def enter_the_app(newcomer: Newcomer) -> None:
    """Have an app, and be in its folder."""
    desk.bring_app(newcomer.lab, "fastapi", APP, newcomer.scratch)
    newcomer.terminal.type(f"cd {APP}")


def docker_may_be_used(newcomer: Newcomer) -> None:
    """Log in again once what was installed runs."""
    desk.start_services(newcomer.lab)
    newcomer.log_in_again()


def change_the_app(newcomer: Newcomer) -> None:
    """Have something to deploy."""
    newcomer.terminal.type(CHANGE)


def first_serves(newcomer: Newcomer, seen: Seen) -> None:
    """The first commit is in service."""
    newcomer.versions.append(newcomer.commit())
    newcomer.serves(newcomer.versions[0], "from FastAPI")


def nothing_changed(newcomer: Newcomer, seen: Seen) -> None:
    """The plan named the second version, and the first serves."""
    newcomer.versions.append(newcomer.commit())
    assert newcomer.versions[1][:12] in seen.text
    newcomer.serves(newcomer.versions[0], "from FastAPI")


def second_serves(newcomer: Newcomer, seen: Seen) -> None:
    """The second commit is in service."""
    newcomer.serves(newcomer.versions[1], "in blue, from FastAPI")


def first_serves_again(newcomer: Newcomer, seen: Seen) -> None:
    """The first commit is in service again."""
    newcomer.serves(newcomer.versions[0], "from FastAPI")


def no_secret_is_committed(newcomer: Newcomer, seen: Seen) -> None:
    """What kp wrote is in the repository, but for what may hold a secret."""
    files = newcomer.lab.ssh(desk.NAME, f"git -C {APP} ls-files", user=desk.USER).stdout.split()
    assert {"config/deploy.yml", ".env.example"} <= set(files)
    assert ".env" not in files


def status_names_the_second(newcomer: Newcomer, seen: Seen) -> None:
    """The app and the proxy run, the app in its second version, and nothing was changed by hand."""
    rows = [line.split() for line in seen.text.splitlines() if newcomer.address in line]
    app, proxy = rows
    assert app[1:5] == ["web", newcomer.versions[1], "running", "healthy"]
    assert (proxy[1], proxy[3]) == ("proxy", "running")
    assert (app[-1], proxy[-1]) == ("no", "no")


def logs_are_the_apps(newcomer: Newcomer, seen: Seen) -> None:
    """Each line says where it comes from, and the requests that the app answered are among them."""
    origin = f"{newcomer.address}/{APP}-web-{newcomer.versions[1]}  "
    lines = [line for line in seen.text.splitlines()[1:] if line]
    assert 0 < len(lines) <= 50
    assert all(line.startswith(origin) for line in lines)
    assert any('"GET / HTTP/1.1" 200' in line for line in lines)


def history_has_every_deploy(newcomer: Newcomer, seen: Seen) -> None:
    """The latest first: to the second version again, back, the second version, and the first."""
    first, second = (version[:30] for version in newcomer.versions)
    rows = [line for line in seen.text.splitlines() if " finished " in line]
    wanted = [(second, "rollback"), (first, "rollback"), (second, "deploy"), (first, "setup")]
    assert len(rows) == len(wanted)
    assert [(version, what) for row, (version, what) in zip(rows, wanted, strict=True) if version in row] == wanted
    assert [what for row, (_, what) in zip(rows, wanted, strict=True) if f"finished  {what}" not in row] == []


def timeline_is_of_the_last(newcomer: Newcomer, seen: Seen) -> None:
    """The last run, with a line for each machine and the time of each phase."""
    assert f"rollback of {APP} {newcomer.versions[1]}, " in seen.text
    starts = {line.split()[0] for line in seen.text.splitlines() if line[:1].strip()}
    assert {"this", newcomer.address, "boot", "switch", "finish"} <= starts


STEPS = (
    Step(line="sudo apt-get update && sudo apt-get install -y pipx git docker.io"),
    Step(line='sudo usermod -aG docker "$USER"'),
    Step(line="pipx install kamal-pyinfra", says=("installed package kamal-pyinfra",)),
    Step(line="kp version", before=docker_may_be_used, says=(__version__,)),
    Step(
        line="kp init",
        before=enter_the_app,
        answers=(("Servers, separated by blanks: ", "192.0.2.10"), (f"[{APP}]: ", ""), ("none is needed): ", "")),
        says=("created   config/deploy.yml", "Next: run `kp setup`."),
    ),
    Step(line="git add . && git commit -m 'Deploy with kp'", check=no_secret_is_committed),
    Step(line="kp doctor", code=1, says=("this machine", "`kp setup` installs it")),
    Step(line="kp setup", says=("serves at http://",), check=first_serves),
    Step(line="curl http://192.0.2.10/up", says=('{"ok":true}',)),
    Step(line="git commit -am 'Say hello in blue'", before=change_the_app),
    Step(line="kp plan", says=("Plan: 1 to replace, 2 to create",), check=nothing_changed),
    Step(line="kp deploy", check=second_serves),
    Step(line="kp rollback", answers=(("Roll back to", ""),), check=first_serves_again),
    Step(line="kp rollback VERSION", check=second_serves),
    Step(line="kp status", check=status_names_the_second),
    Step(line="kp logs -n 50", says=("Uvicorn running on",), check=logs_are_the_apps),
    Step(line="kp history", check=history_has_every_deploy),
    Step(line="kp timeline", says=("done after",), check=timeline_is_of_the_last),
)
