"""A host that is a folder: real shells, a strict ``docker``, and a clock that only ``sleep`` moves."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from kamal_pyinfra.shell.script import functions, with_functions


def template(function: str, nth: int = 0) -> str:
    """The template that a shell function gives to Docker."""
    body = functions(function).partition(f"{function}() ")[2].partition("\n}\n")[0]
    return re.findall("--format '([^']*)'", body)[nth]


FORMATS = {
    template("state_of"): "STATE",
    template("report"): "PROBE",
    template("show_probe"): "PROGRESS",
    template("serving_state_of"): "SERVING",
    template("note_servers"): "NOTED",
    template("refuse"): "NETWORKS",
    template("refuse", 1): "ENGINE",
    template("share_network"): "SHARED",
    "{{.Config.Hostname}}": "HOSTNAME",
    "{{.Id}}": "ID",
}
"""Long templates, and what they are called in tests."""

DOCKER = """#!/bin/sh
printf 'docker %s\\n' "$*" >> {state}/calls
case "$*" in
{cases}
*) printf 'docker %s\\n' "$*" >> {state}/unexpected; exit 99 ;;
esac
rule={state}/rules/$rule
read -r turn < "$rule/turn"
[ ! -e "$rule/$(( turn + 1 )).code" ] || echo $(( turn + 1 )) > "$rule/turn"
[ ! -s "$rule/$turn.out" ] || cat "$rule/$turn.out"
[ ! -s "$rule/$turn.err" ] || cat "$rule/$turn.err" >&2
read -r code < "$rule/$turn.code"
exit "$code"
"""

SLEEP = """#!/bin/sh
read -r now < {state}/clock
case "$1" in
  0.[0-9]) span=${{1#0.}}00 ;;
  0.0[0-9]) span=${{1#0.0}}0 ;;
  *) span=$(( $1 * 1000 )) ;;
esac
now=$(( now + span ))
echo "$now" > {state}/clock
printf '%d.%02d 0.00\\n' $(( now / 1000 )) $(( now % 1000 / 10 )) > {state}/uptime
read -r steps < {state}/steps
[ "$steps" -lt 500 ] || {{ echo "500 sleeps" >> {state}/unexpected; kill -9 $PPID; }}
echo $(( steps + 1 )) > {state}/steps
"""

DATE = """#!/bin/sh
case "$*" in '-u -d @'[0-9]*) exec /bin/date "$@" ;; esac
[ "$*" = +%s ] || {{ echo "date $*" >> {state}/unexpected; exit 99; }}
read -r now < {state}/clock
echo $(( now / 1000 ))
"""


@dataclass(frozen=True)
class Answer:
    """What one call of ``docker`` prints and returns."""

    out: str | bytes = ""
    err: str | bytes = ""
    code: int = 0


@dataclass(frozen=True)
class Ran:
    """What a script did."""

    code: int
    out: str
    err: str
    calls: str
    seconds: float


@dataclass
class FakeHost:
    """See the module. ``docker()`` teaches it a call; a call that it was not taught fails the test."""

    folder: Path
    shell: tuple[str, ...] = ("sh",)
    taught: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.state = self.folder / "state"
        self.bin = self.folder / "bin"
        for path in (self.home, self.state, self.bin):
            path.mkdir(parents=True)
        self._program("sleep", SLEEP)
        self._program("date", DATE)
        (self.state / "clock").write_text("1000000\n")
        (self.state / "uptime").write_text("1000.00 0.00\n")
        (self.state / "steps").write_text("0\n")
        self.docker("--version", "Docker version 26.1.5, build a72d7cd")

    def docker(self, call: str, *answers: str | Answer) -> None:
        """Answer a call: one answer after the other, then the last one for ever."""
        given = answers or ("",)
        self.taught[call] = tuple(answer if isinstance(answer, Answer) else Answer(answer) for answer in given)

    def run(self, script: str, *, stdin: str = "", environ: dict[str, str] | None = None) -> Ran:
        """Run a script and the functions that it calls; what it asks of Docker beyond what was taught is an error."""
        script = script if "end_with_connection() " in script else with_functions(script)
        self._write_docker()
        (self.state / "calls").write_text("")
        ended = subprocess.run(
            [*self.shell, "-c", script.replace("/proc/uptime", quote(str(self.state / "uptime")))],
            cwd=self.home,
            env={"PATH": f"{self.bin}:{os.defpath}", "HOME": str(self.home), **(environ or {})},
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        unexpected = self.state / "unexpected"
        if unexpected.exists():
            raise AssertionError(f"unexpected: {unexpected.read_text()}\nstderr: {ended.stderr.decode()}")
        calls = (self.state / "calls").read_text()
        for template, name in FORMATS.items():
            calls = calls.replace(template, name)
        return Ran(
            code=ended.returncode,
            out=ended.stdout.decode(),
            err=ended.stderr.decode(),
            calls=calls,
            seconds=(int((self.state / "clock").read_text()) - 1_000_000) / 1000,
        )

    def _write_docker(self) -> None:
        cases = []
        for number, (call, answers) in enumerate(self.taught.items()):
            rule = self.state / "rules" / str(number)
            rule.mkdir(parents=True, exist_ok=True)
            (rule / "turn").write_text("0\n")
            for turn, answer in enumerate(answers):
                (rule / f"{turn}.out").write_bytes(_lines(answer.out))
                (rule / f"{turn}.err").write_bytes(_lines(answer.err))
                (rule / f"{turn}.code").write_text(f"{answer.code}\n")
            cases.append(f"{quote(spelled(call))}) rule={number} ;;")
        self._program("docker", DOCKER, cases="\n".join(cases))

    def _program(self, name: str, text: str, **values: str) -> None:
        program = self.bin / name
        program.write_text(text.format(state=quote(str(self.state)), **values))
        program.chmod(0o755)


def spelled(call: str) -> str:
    """The call with templates for their short names."""
    for template, name in FORMATS.items():
        call = call.replace(f"--format {name}", f"--format {template}")
    return call


def _lines(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return raw + b"\n" if raw and not raw.endswith(b"\n") else raw
