"""Values that break shells, files and terminals arrive as they are, or are refused before any host is touched."""

from __future__ import annotations

import base64
import random
import shlex

import pytest

from kamal_pyinfra.shell import script as shell
from tests.e2e.project import Project
from tests.lab.lab import Lab

SEED = 20261123
PIECES = (
    " ", "'", '"', "$(touch /tmp/hacked)", "`touch /tmp/hacked`", "$HOME", "${HOME}", "${NAME:-x}", "\\", "\n", "\r\n",
    "\t", ";", "&&", "|", ">/tmp/hacked", "*", "?", "~", "#", "!", "-rf", "--", "=", "%s", "\\n", "é", "日本",
    "\U0001f6a2", "\u2028", "\x1b[31m", "\x1b]0;t\x07", "\x7f", "\ufeff", "\x01",
)  # fmt: skip
CLEAR = {
    "BLANKS": "  two  words ",
    "QUOTES": 'it\'s "quoted"',
    "COMMAND": "$(touch /tmp/hacked) `touch /tmp/hacked`",
    "DOLLAR": "$HOME $$ $1",
    "BACKSLASH": "a\\b\\\\n\\",
    "DASHES": "--privileged",
    "LINES": "one\ntwo\n\nthree\n",
    "TABS": "a\tb",
    "COMMENT": "# not one",
    "EQUALS": "=a=b=",
    "EMPTY": "",
    "COLORS": "\x1b[31mred\x1b[0m\x07",
    "UNICODE": "é 日本 \U0001f6a2 \ufeff",
    "ALL_THAT_FITS": "x'" * 100 + "y" * 93_000,
}
SECRET = {f"SECRET_{name}": value for name, value in CLEAR.items() if "\n" not in value and len(value) < 60_000} | {
    "SECRET_LONGEST": "z" * (65_535 - len("SECRET_LONGEST=")),
    "SECRET_BRACES": "${HOME} $${HOME} <%= ENV['HOME'] %>",
}


def values() -> list[str]:
    """Eight hundred texts of nasty pieces, and one of 100 kB."""
    pick = random.Random(SEED)
    texts = ["".join(pick.choices(PIECES, k=pick.randint(0, 8))) for _ in range(800)]
    return [*CLEAR.values(), *texts]


@pytest.mark.parametrize("user", ["root", "deploy"])
def test_quoted_words_arrive_on_a_host_as_they_are(lab: Lab, user: str) -> None:
    """What a real login shell on a host makes of quoted words must be the words, byte for byte, and nothing else."""
    wanted = [value for value in values() if len(value) < 50_000]
    batches = [wanted[start : start + 200] for start in range(0, len(wanted), 200)]
    for batch in (*batches, ["q'" * 500 + "x" * 100_000]):
        line = f"printf '%s\\0' {shell.quoted(*batch)} | base64 -w0"
        for command in (line, f"sh -c {shlex.quote(line)}"):
            said = lab.ssh("web1", command, user=user).stdout
            assert base64.b64decode(said).decode().split("\0")[:-1] == batch
    assert lab.ssh("web1", "ls /tmp/hacked", user=user, check=False).returncode == 2


def environment_of(project: Project, host: str, container: str) -> dict[str, str]:
    """The environment of a container's first process."""
    said = project.lab.ssh(host, f"docker exec {container} cat /proc/1/environ | base64 -w0").stdout
    pairs = base64.b64decode(said).decode().split("\0")[:-1]
    return dict(pair.split("=", 1) for pair in pairs)


def test_values_arrive_in_the_container_byte_for_byte(project: Project) -> None:
    """Clear values and secrets must be in the container as they were given (Kamal 1.9 mangles them)."""
    project.env |= SECRET
    project.change(lambda config: config["env"].update(clear=CLEAR, secret=["TOP_SECRET", *SECRET]))
    project.change(lambda config: config["servers"]["job"].update(cmd="python app.py worker"))
    project.kp("setup", version="v1")
    for host, role in (("web1", "web"), ("job1", "job")):
        found = environment_of(project, host, f"shop-{role}-v1")
        wanted = CLEAR | SECRET
        assert {name: found.get(name) for name in wanted} == wanted
    assert project.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    assert project.lab.ssh("web1", "ls /tmp/hacked", check=False).returncode == 2


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("KEY", "one\ntwo", "KEY holds a line break, which a Docker env file cannot carry"),
        ("KEY", "k" * 65_532, "KEY is longer than the 65535 bytes that a line of a Docker env file may have"),
        ("KEY", "caf\udce9", "KEY is not valid UTF-8"),
    ],
)
def test_what_cannot_arrive_is_refused_with_its_place(project: Project, name: str, value: str, complaint: str) -> None:
    """A value that no env file can carry must be refused in one line, before any host is touched."""
    project.env[name] = value
    project.change(lambda config: config["env"].update(secret=[name]))
    refused = project.kp("deploy", version="v1", code=3).stderr
    assert refused.startswith("config/deploy.yml:")
    assert complaint in refused
    assert value[:20] not in refused


def test_output_that_is_not_text_harms_nobody(project: Project) -> None:
    """Bytes that are no UTF-8, and commands to the terminal, must neither stop kp nor reach the terminal."""
    project.kp("setup", version="v1")
    noise = r"printf 'caf\351 \033[31mred\033[0m \033]0;owned\007\202end\n'"
    for command in (
        ("server", "exec", noise),
        ("app", "exec", "--reuse", noise),
        ("app", "exec", "--reuse", f"sh -c {shlex.quote(noise + ' >&2')}"),
    ):
        done = project.kp(*command)
        assert "caf\ufffd red" in done.stdout, done.stderr
        assert [each for each in done.stdout + done.stderr if each != "\n" and not each.isprintable()] == []
        assert "Traceback" not in done.stderr
    project.lab.ssh("web1", f"docker exec shop-web-v1 sh -c {shlex.quote(noise + ' >/proc/1/fd/1')}")
    logs = project.kp("app", "logs").stdout
    assert "caf" in logs
    assert "\x1b" not in logs
    hook = project.folder / ".kamal/hooks/pre-deploy"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{noise}\nexit 1\n")
    hook.chmod(0o755)
    failed = project.kp("deploy", version="v2", code=1)
    assert "caf" in failed.stderr
    assert "\x1b" not in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stderr
