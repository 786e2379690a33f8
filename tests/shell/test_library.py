"""The shell functions of the package: each file is nothing else, and a script brings along what it calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kamal_pyinfra import naming
from kamal_pyinfra.operations import lease
from kamal_pyinfra.plan.state import desired as digest
from kamal_pyinfra.shell import host, lock, logs, rollout, script, snapshot
from kamal_pyinfra.shell import script as library
from kamal_pyinfra.shell.exec import WHOLE
from kamal_pyinfra.shell.image import NOTE
from kamal_pyinfra.shell.proxy import container, traefik
from kamal_pyinfra.shell.script import functions
from tests.shell.test_snapshot import QUERY

FOLDER = Path(library.__file__).with_name("sh")
FILES = sorted(FOLDER.glob("*.sh"))
REPLACED = "traefik_replaced"
SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


def test_a_function_brings_along_what_it_calls_and_nothing_else():
    text = functions("still_ready")
    assert re.findall(r"^(\w+)\(\) ", text, re.MULTILINE) == ["printable", "report", "state_of", "still_ready"]


def test_each_function_comes_once_whoever_calls_it():
    text = functions("await_ready", "still_ready", "await_ready")
    assert text.count("report() {") == text.count("await_ready() {") == 1


def test_comments_and_indentation_stay_at_home():
    assert functions("now") == "now() {\nread -r now _ < /proc/uptime\nnow=${now%.*}${now#*.}\n}\n"


def test_a_name_that_is_nowhere_is_an_error_here_and_not_on_a_host():
    with pytest.raises(KeyError, match="await_redy"):
        functions("await_redy")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_holds_functions_and_comments_only(path: Path):
    rest = library.DEFINITION.sub("", path.read_text("utf-8"))
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == []


def test_no_two_functions_have_one_name():
    names = [name for path in FILES for name in library.DEFINITION.findall(path.read_text("utf-8"))]
    assert sorted(names) == sorted(set(names))


LITERALS = {
    "acquire_lock": (lock.HELD, lock.TAKEN),
    "renew_lock": (lock.LOST,),
    "show_lock": (lock.STATE,),
    "lock_left": (f"+ {lease.SECONDS}",),
    "await_dropped": (NOTE, "sleep 5"),
    "show_probe": (script.WAITING,),
    "show_route": (traefik.ROUTES,),
    "await_throttle_unless_shown": (f"sleep {traefik.THROTTLE_SECONDS};",),
    "restore_proxy": (f"{REPLACED}\n", f"take_proxy_lock {container.RESTORE_SECONDS}\n"),
    "step_aside": (f"docker rename {naming.PROXY_CONTAINER} {REPLACED}",),
    "proxy_identity": (f'"{naming.DIGEST_LABEL}"',),
    "await_end_of_boot": (f"[{rollout.BOOT_MARK[0]}]{rollout.BOOT_MARK[1:]}",),
    "turned_bad": (rollout.TURNED_BAD,),
    "changed_in_layer": (host.NOT_LISTED,),
    "changed_by_docker": (host.NOT_LISTED,),
    "find_edits": (f"edited $name {host.NOT_LISTED}",),
    "receive_variables": (f"*'{WHOLE}'",),
    "show_image_defaults": (f"^{snapshot.USED}",),
    "show_recent": (f"$name{logs.SEPARATOR}/",),
    "know_sums": (f"n = {digest.FIRST};", f"(n * {digest.FACTOR} + ", f"% {digest.MODULUS}"),
}
"""What stands both here and in Python: a host prints it, and Python reads it, or the other way round."""


@pytest.mark.parametrize("name", LITERALS)
def test_what_a_host_prints_is_what_python_reads(name: str) -> None:
    text = library._library()[name][0]
    assert [literal for literal in LITERALS[name] if literal not in text] == []


def test_the_kinds_of_a_snapshots_lines_are_printed_by_it() -> None:
    text = snapshot.snapshot(replace(QUERY, edits="edits", record="record", uploads=("upload",), watched_names=("A",)))
    text = text.replace("\\n", " ")
    assert [kind for kind in snapshot.KINDS if not re.search(rf"(?<![\w-]){kind}(?![\w-])", text)] == []


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_all_of_them_can_be_read_by_every_shell(shell: list[str]):
    names = [name for path in FILES for name in library.DEFINITION.findall(path.read_text("utf-8"))]
    ended = subprocess.run([*shell, "-n"], input=functions(*names), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_hosts_run_is_posix_and_in_shape(tmp_path: Path):
    """`make lint` fails on a script that is not."""
    scripts = tmp_path / "scripts"
    shutil.copytree("scripts", scripts)
    shutil.copytree(".ci", tmp_path / ".ci")
    shutil.copytree(FOLDER, tmp_path / "kamal_pyinfra/shell/sh")
    bad = tmp_path / "kamal_pyinfra/shell/sh/bad.sh"
    for text, complaint in (("bad() {\n  rm -f $1\n}\n", "SC2086"), ("bad() {\n rm -f bad\n}\n", "bad.sh")):
        bad.write_text(text)
        ended = subprocess.run([scripts / "lint-shell"], capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 1
        assert complaint in ended.stdout
