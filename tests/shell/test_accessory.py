"""Accessories' commands as text."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kamal_pyinfra.plan.state.desired import AccessoryContainer
from kamal_pyinfra.shell import accessory as commands
from kamal_pyinfra.shell.script import with_functions
from tests.shell.fake_host import Answer, FakeHost

DB = AccessoryContainer(
    key="db",
    name="shop-db",
    owner="shop/db",
    image="mysql:8",
    publish="127.0.0.1:3306:3306",
    env_file=".kamal/env/accessories/shop-db.env",
    env=(("LEVEL", "one two"), ("AT", "${HOME}/x")),
    labels=(("service", "shop-db"), ("team", "db ops")),
    volumes=("cache:/cache", "$PWD/shop-db/etc/my.cnf:/etc/my.cnf:ro", "$PWD/shop-db/da ta:/var/lib/mysql"),
    options=(("cpus", 2), ("restart", "always")),
    log_options=(("--log-opt", "max-size=10m"),),
    cmd="mysqld --verbose",
    uploads=(),
    directories=("shop-db/da ta",),
    secret_names=("TOP_SECRET",),
    secrets="",
    secret_checks={},
    digest="d1",
)
RUN = (
    "docker run --name shop-db --detach --restart unless-stopped --log-opt max-size=10m"
    " --publish 127.0.0.1:3306:3306 --env-file .kamal/env/accessories/shop-db.env"
    " --env LEVEL='one two' --env AT=\"${HOME}\"/x"
    ' --volume cache:/cache --volume "$PWD"/shop-db/etc/my.cnf:/etc/my.cnf:ro'
    " --volume \"$PWD\"/'shop-db/da ta:/var/lib/mysql'"
    " --label service=shop-db --label 'team=db ops' --label traefik.enable=false"
    " --label kp.digest=d1 --label kp.accessory=shop/db"
    " --label kp.clear=LEVEL --cpus 2 --restart always mysql:8 mysqld --verbose > /dev/null"
)


def test_an_accessory_as_text_in_kamals_order() -> None:
    assert commands.run(DB) == RUN


def test_a_replacement_pulls_first_and_keeps_volumes() -> None:
    assert commands.replace(DB) == (
        f"pull_if_missing mysql:8 && docker stop shop-db > /dev/null && docker rm shop-db > /dev/null && {RUN}"
    )


def test_a_command_runs_in_the_container_or_in_one_of_its_kind() -> None:
    assert commands.execute(DB, "mysql -e 'show tables; #'", is_reused=True) == (
        "docker exec shop-db mysql -e 'show tables; #'"
    )
    assert commands.execute(DB, "mysql", is_reused=True, is_terminal=True) == "docker exec -it shop-db mysql"
    plain = replace(DB, env=(), volumes=("cache:/cache",))
    assert commands.execute(plain, "mysql", is_reused=False, is_terminal=True).startswith(
        "docker run -it --rm --env-file"
    )
    assert commands.execute(plain, "ls $HOME", is_reused=False) == (
        "docker run --rm --env-file .kamal/env/accessories/shop-db.env --volume cache:/cache"
        " --label traefik.enable=false mysql:8 ls '$HOME'"
    )


@pytest.mark.parametrize("content", [b"", b"no line break", b"a\n\n", bytes(range(256))])
def test_a_file_arrives_as_it_is_with_mode_755_and_stays_the_same_file(tmp_path: Path, content: bytes) -> None:
    name = "shop-db/it's here/my.cnf"
    path = tmp_path / name
    inodes = set()
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", with_functions(commands.write_file(name))],
            input=b"%d\n%s\n" % (len(content), base64.b64encode(content)),
            cwd=tmp_path,
            check=True,
        )
        inodes.add(path.stat().st_ino)
    assert (path.read_bytes(), path.stat().st_mode & 0o777, len(inodes)) == (content, 0o755, 1)


def test_an_image_that_anybody_uses_stays(host: FakeHost) -> None:
    host.docker("ps --all --quiet --filter ancestor=mysql:8", "0123abcd")
    assert host.run(commands.remove_image("mysql:8")).code == 0
    assert commands.remove_image("mysql:8") == "remove_unused_image mysql:8"


SILENT = Answer(err="Cannot connect to the Docker daemon.", code=1)


@pytest.mark.parametrize(
    ("users", "image", "removed", "code"),
    [
        ("", "[{}]", "", 0),
        ("1f\n", "[{}]", SILENT, 0),
        ("", Answer(err="Error: No such image: mysql:8", code=1), SILENT, 0),
        (SILENT, "[{}]", "", 1),
        ("", SILENT, "", 1),
        ("", "[{}]", SILENT, 1),
    ],
)
def test_an_engine_that_does_not_answer_has_not_removed_an_image(
    host: FakeHost, users: Answer | str, image: Answer | str, removed: Answer | str, code: int
) -> None:
    host.docker("ps --all --quiet --filter ancestor=mysql:8", users)
    host.docker("image inspect mysql:8", image)
    host.docker("image rm mysql:8", removed)
    assert host.run(commands.remove_image("mysql:8")).code == code


PLANTED = {
    "a link in place of the file": ("etc/my.cnf", "{etc}/passwd", 0),
    "a dangling link in place of the file": ("etc/my.cnf", "{etc}/new", 0),
    "a link to a folder in place of the file": ("etc/my.cnf", "{etc}", 0),
    "a link in place of a folder": ("etc", "{etc}", 1),
    "a link to another folder of its own": ("etc", "data", 1),
    "a dangling link in place of a folder": ("etc", "{etc}/new", 1),
    "a pipe": ("etc/my.cnf", None, 0),
}


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=" ".join)
@pytest.mark.parametrize(("name", "target", "code"), PLANTED.values(), ids=PLANTED)
def test_no_file_of_the_host_is_written_through_what_an_accessory_planted(
    tmp_path: Path, shell: list[str], name: str, target: str | None, code: int
) -> None:
    """An accessory may mount the folder that its files lie in, and be root."""
    etc, home = tmp_path / "etc", tmp_path / "home"
    etc.mkdir()
    (etc / "passwd").write_text("own")
    (home / "shop-db/data").mkdir(parents=True)
    place = home / "shop-db" / name
    place.parent.mkdir(exist_ok=True)
    if target is None:
        os.mkfifo(place)
    else:
        place.symlink_to(target.format(etc=etc))
    ended = subprocess.run(
        [*shell, "-c", with_functions(commands.write_file("shop-db/etc/my.cnf"))],
        input=f"4\n{base64.b64encode(b'new!').decode()}\n".encode(),
        cwd=home,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == code
    assert {path.name: path.read_text() for path in etc.iterdir()} == {"passwd": "own"}
    assert list((home / "shop-db/data").iterdir()) == []
    if code == 0:
        assert (home / "shop-db/etc/my.cnf").read_text() == "new!"
    else:
        assert b"is a link, maybe of a container; remove it" in ended.stderr or b"mkdir" in ended.stderr
    assert [path.name for path in home.iterdir()] == ["shop-db"]
