"""Which files of its image a container changed: by its own layer where that can be read, else by what Docker says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kamal_pyinfra.shell import host as edits
from kamal_pyinfra.shell import script
from tests.shell.fake_host import Answer, FakeHost, template

LAYERS = f"inspect --size --format {template('read_layers')} shop-web-v2"
SIZE = "inspect --size --format {{.SizeRw}} shop-web-v2"
FOLDER = ".kamal/shop-files"
FIND = f"find_edits {FOLDER}"
DIFF = """C /etc
C /etc/passwd
D /etc/shadow
A /etc/new
C /app
A /app/log
A /app/log/today
D /usr/share/doc
"""
CHANGED = "/etc/passwd\n/etc/shadow\n/usr/share/doc\n"


@pytest.fixture
def layers(host: FakeHost, tmp_path: Path) -> Path:
    """A container's own layer `upper` above two of its image, in which DIFF is what it did."""
    for name in ("upper/etc", "upper/app/log", "upper/usr/share", "one/etc", "one/app", "two/etc", "two/usr/share/doc"):
        (tmp_path / "with blank" / name).mkdir(parents=True, exist_ok=True)
    base = tmp_path / "with blank"
    for name in ("upper/etc/passwd", "upper/etc/new", "upper/app/log/today", "one/etc/passwd", "two/etc/shadow"):
        (base / name).touch()
    for name in ("upper/etc/shadow", "upper/usr/share/doc"):
        os.mknod(base / name, stat.S_IFCHR | 0o600, os.makedev(0, 0))
    host.docker(LAYERS, f"5\n{base}/upper\n{base}/one:{base}/two\n")
    return base


def listed(host: FakeHost) -> str:
    ran = host.run(edits.record_edits(FOLDER, ["shop-web-v2"]))
    assert (ran.code, ran.err) == (0, "")
    return (host.home / FOLDER / "shop-web-v2").read_text()


def test_a_containers_own_layer_tells_what_it_changed_and_removed_but_not_what_it_added(host, layers):
    assert listed(host) == CHANGED
    assert (host.home / FOLDER / "shop-web-v2.size").read_text() == f"5\n{layers}/upper\n"


def test_a_link_of_the_image_counts_also_where_it_leads_nowhere(host, layers):
    (layers / "one/etc/link").symlink_to("/nowhere")
    (layers / "upper/etc/link").symlink_to("/elsewhere")
    assert listed(host) == "/etc/link\n" + CHANGED


@pytest.mark.parametrize(
    "answer", ["5", "5\n/nowhere/upper\n/nowhere/one\n", Answer(err="No such object", code=1)], ids=repr
)
def test_where_the_layers_cannot_be_read_docker_is_asked(host, answer):
    host.docker(LAYERS, answer)
    host.docker("diff shop-web-v2", DIFF)
    assert listed(host) == CHANGED


def test_nothing_is_asked_of_a_container_in_whose_layer_nothing_is_newer_than_the_note(host, layers):
    listed(host)
    ran = host.run(FIND)
    assert (ran.out, ran.calls) == ("", "")


def test_what_was_changed_since_is_named_and_what_was_noted_is_not(host, layers):
    listed(host)
    (layers / "one/app/main.py").touch()
    (layers / "upper/app/main.py").touch()
    assert host.run(FIND).out == "edited shop-web-v2 /app/main.py\n"


def test_an_old_time_on_a_changed_file_does_not_hide_it(host, layers):
    """`cp -p` keeps the time of the file that it copies."""
    listed(host)
    for layer in ("one", "upper"):
        (layers / layer / "app/main.py").touch()
        os.utime(layers / layer / "app/main.py", (0, 0))
    assert host.run(FIND).out == "edited shop-web-v2 /app/main.py\n"


def test_a_file_of_the_image_that_was_removed_since_is_named(host, layers):
    (layers / "one/app/main.py").touch()
    listed(host)
    os.mknod(layers / "upper/app/main.py", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    assert host.run(FIND).out == "edited shop-web-v2 /app/main.py\n"


@pytest.mark.parametrize("noted", ["5\n", "5\n/nowhere/upper\n"], ids=["an earlier kp", "layer not readable"])
def test_where_the_layer_cannot_be_seen_its_size_tells_whether_something_was_changed(host, layers, noted):
    listed(host)
    (host.home / FOLDER / "shop-web-v2.size").write_text(noted)
    (layers / "one/app/main.py").touch()
    (layers / "upper/app/main.py").touch()
    host.docker(SIZE, "5\n")
    ran = host.run(FIND)
    assert (ran.out, ran.calls) == ("", f"docker {SIZE}\n")
    host.docker(SIZE, "6\n")
    assert host.run(FIND).out == "edited shop-web-v2 /app/main.py\n"


@pytest.mark.parametrize(
    "answer", [Answer(code=124), Answer(out=DIFF, code=124), Answer(err="No such", code=1)], ids=repr
)
def test_a_list_that_docker_did_not_end_is_no_list(host, layers, answer):
    """Neither "no file was changed", nor that each file was which a later look finds."""
    host.docker(LAYERS, "5")
    host.docker("diff shop-web-v2", answer)
    assert listed(host) == "not-listed\n"
    host.docker(SIZE, "6\n")
    host.docker("diff shop-web-v2", DIFF)
    assert host.run(FIND).out == "edited shop-web-v2 not-listed\n"


def test_a_list_that_docker_does_not_end_later_says_nothing_of_files(host, layers):
    host.docker(LAYERS, "5")
    host.docker("diff shop-web-v2", DIFF)
    assert listed(host) == CHANGED
    host.docker(SIZE, "6\n")
    host.docker("diff shop-web-v2", Answer(out="C /app/main.py\n", code=124))
    assert host.run(FIND).out == "edited shop-web-v2 not-listed\n"


def test_a_layer_with_more_files_than_are_examined_is_not_listed(host, layers, monkeypatch):
    text, calls = script._library()["changed_in_layer"]
    monkeypatch.setitem(script._library(), "changed_in_layer", (text.replace("'10001{", "'4{"), calls))
    for number in range(9):
        (layers / f"upper/app/log/{number}").touch()
    assert "not-listed" in listed(host).splitlines()


def test_without_containers_nothing_is_noted():
    assert edits.record_edits(FOLDER, []) == ""
