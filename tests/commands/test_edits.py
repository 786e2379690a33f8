"""Which files of its image a container changed: by its own layer where that can be read, else by what Docker says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kamal_pyinfra.commands import edits
from tests.commands.fake_host import Answer, FakeHost

LAYERS = f"inspect --size --format {edits.LAYERS_FORMAT} shop-web-v2"
SIZE = "inspect --size --format {{.SizeRw}} shop-web-v2"
FOLDER = ".kamal/shop-files"
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
    host.docker(SIZE, "5\n")
    return base


def listed(host: FakeHost) -> str:
    ran = host.run(edits.note_down(FOLDER, ["shop-web-v2"]))
    assert (ran.code, ran.err) == (0, "")
    return (host.home / FOLDER / "shop-web-v2").read_text()


def test_a_containers_own_layer_tells_what_it_changed_and_removed_but_not_what_it_added(host, layers):
    assert listed(host) == CHANGED
    assert (host.home / FOLDER / "shop-web-v2.size").read_text() == "5\n"


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


def test_nothing_is_asked_of_a_container_whose_layer_has_the_size_that_was_noted(host, layers):
    listed(host)
    ran = host.run(edits.look(FOLDER))
    assert (ran.out, ran.calls) == ("", f"docker {SIZE}\n")


def test_what_was_changed_since_is_named_and_what_was_noted_is_not(host, layers):
    listed(host)
    host.docker(SIZE, "6\n")
    (layers / "one/app/main.py").touch()
    (layers / "upper/app/main.py").touch()
    assert host.run(edits.look(FOLDER)).out == "edited shop-web-v2 /app/main.py\n"


def test_without_containers_nothing_is_noted():
    assert edits.note_down(FOLDER, []) == ""
