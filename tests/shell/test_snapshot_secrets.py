"""The host's own sums over secrets are those of plan/secret_checks.py, and no value leaves the host."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kamal_pyinfra.facts.snapshot import parse_snapshot
from kamal_pyinfra.plan.state.desired import checks_of, clear_check, digest_lines
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedHost
from kamal_pyinfra.shell.snapshot import IMAGE_TEMPLATE, container_template, snapshot, sums_template
from tests.facts.go_template import render
from tests.shell.fake_host import Answer, FakeHost
from tests.shell.test_snapshot import CONTAINER, ENGINE, IMAGE_ID, IMAGES, LIST, QUERY

NAMES = ("FIRST", "SECOND", "THIRD")
WATCHING = replace(QUERY, watched_names=NAMES)
ENV_FILE = ".kamal/env/roles/shop-web.env"
CONTAINER_ID, OTHER_ID = "a1" * 32, "b2" * 32
VALUES = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=40),
    st.sampled_from(
        ["", "=", "a=b=c", " two  spaces ", "'", '"', "`id`", "$(id)", "${HOME}", "%s%n", "\\n", "-e", "#"]
    ),
)
LONG = "ß" * 20_000 + "'\" ="


def a_host(folder: Path, variables: dict[str, dict[str, str]]) -> FakeHost:
    """A host with containers that have these variables, and with the first one's in an env file."""
    host = FakeHost(folder)
    ids = " ".join(variables)
    template = container_template(QUERY.ours) + sums_template(NAMES, QUERY.clear_names)
    rows = [
        f"of-image {IMAGE_ID}\n"
        f"container {as_docker(CONTAINER | {'id': name, 'name': f'/{name}', 'env': [*held, None]})}" + sums(name, held)
        for name, held in variables.items()
    ]
    host.docker(ENGINE, "26.1.5")
    host.docker(LIST, "\n".join(variables))
    host.docker(f"inspect --format {template} {ids}", "\n".join(rows))
    host.docker(f"image inspect --format {IMAGE_TEMPLATE} -- {IMAGE_ID}", Answer(err="No such image", code=1))
    host.docker(IMAGES)
    (host.home / ENV_FILE).parent.mkdir(parents=True)
    (host.home / ENV_FILE).write_text(text_of(next(iter(variables.values()))), newline="")
    (host.home / ENV_FILE).chmod(0o600)
    return host


def sums(identity: str, held: dict[str, str]) -> str:
    """What the second half of the template prints, of a container of ours."""
    labels = {"service": "shop", "role": "web", "destination": ""}
    env = [f"{key}={value}" for key, value in held.items()]
    container = {"ID": identity, "Name": f"/{identity}", "Image": IMAGE_ID, "Config": {"Env": env, "Labels": labels}}
    printed = render(OURS_ALONE + sums_template(NAMES, QUERY.clear_names), container)
    return printed.partition("container")[2]


OURS_ALONE = container_template(QUERY.ours).partition('{"id"')[0]


def as_docker(value: object) -> str:
    """JSON without spaces, as templates make it."""
    return json.dumps(value, separators=(",", ":"))


def text_of(variables: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def look(host: FakeHost) -> tuple[ObservedHost, str]:
    """What is observed, and all that was printed."""
    ran = host.run(snapshot(WATCHING))
    assert (ran.code, ran.err) == (0, "")
    return parse_snapshot("web1", ran.out.splitlines()), ran.out


@settings(max_examples=25, deadline=None)
@given(
    first=st.dictionaries(st.sampled_from(NAMES), VALUES),
    second=st.dictionaries(st.sampled_from(NAMES), VALUES),
)
@example(first={"FIRST": LONG}, second={"SECOND": LONG, "THIRD": "ü"})
@example(first={"FIRST": "\x1b[31m\t"}, second={})
def test_a_real_shell_and_awk_agree_with_python(first: dict[str, str], second: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        observed, _ = look(a_host(Path(folder) / "host", {CONTAINER_ID: first, OTHER_ID: second}))
    for name, held in ((CONTAINER_ID, first), (OTHER_ID, second)):
        lines = sorted((f"{key}={value}" for key, value in held.items()), key=str.encode)
        container = observed.container(name)
        assert container is not None
        assert container.secret_checks == checks_of(lines)
        assert container.secrets == digest_lines(lines)
    file = observed.files[ENV_FILE]
    assert file.digest == hashlib.sha256(text_of(first).encode()).hexdigest()
    assert file.checks == checks_of(text_of(first).split("\n"))


@settings(max_examples=15, deadline=None)
@given(value=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=12, max_size=60))
def test_no_value_leaves_the_host(value: str) -> None:
    value = f"hush{value}"
    with tempfile.TemporaryDirectory() as folder:
        _, printed = look(a_host(Path(folder) / "host", {CONTAINER_ID: {"FIRST": value, "SECOND": f"{value}="}}))
    assert "hush" not in printed


def test_a_clear_variable_is_compared_to_its_last_line_without_its_value(tmp_path: Path) -> None:
    values = {"COLOR": "hush\nhush: two ✓ '\"\x80"}
    observed, printed = look(a_host(tmp_path / "host", {CONTAINER_ID: {**values, "FIRST": ""}}))
    container = observed.container(CONTAINER_ID)
    assert container is not None
    assert container.clear_checks == {"COLOR": clear_check("COLOR", values["COLOR"])}
    assert "hush" not in printed


def test_the_first_line_of_a_clear_value_is_what_counts(tmp_path: Path) -> None:
    observed, _ = look(a_host(tmp_path / "host", {CONTAINER_ID: {"FIRST": "one\ntwo=2", "SECOND": "x"}}))
    container = observed.container(CONTAINER_ID)
    assert container is not None
    assert container.secrets == digest_lines(("FIRST=one", "SECOND=x"))
    assert container.secret_checks == checks_of(("FIRST=one", "SECOND=x"))


@pytest.mark.parametrize("text", ["", "\n", "no sign\n", "A=1", "=x\n", "A B=1\n", "A=1\r\n", "\xff=ÿ\n"])
def test_a_file_that_somebody_wrote_by_hand_can_be_looked_at(tmp_path: Path, text: str) -> None:
    host = a_host(tmp_path / "host", {CONTAINER_ID: {}})
    (host.home / ENV_FILE).write_text(text, newline="")
    file = look(host)[0].files[ENV_FILE]
    assert file.digest == hashlib.sha256(text.encode()).hexdigest()


INSTALLED = [awk for awk in (["awk"], ["mawk"], ["gawk"], ["busybox", "awk"]) if shutil.which(awk[0])]
"""Debian brings mawk, Fedora gawk, Alpine busybox's."""


@pytest.mark.parametrize("awk", INSTALLED, ids=" ".join)
def test_every_awk_that_is_here_counts_the_same(tmp_path: Path, awk: list[str]) -> None:
    host = a_host(tmp_path / "host", {CONTAINER_ID: {"FIRST": "naïve ✓ \x80=\"'", "SECOND": LONG}})
    (host.bin / "awk").write_text(f'#!/bin/sh\nexec {shutil.which(awk[0])} {" ".join(awk[1:])} "$@"\n')
    (host.bin / "awk").chmod(0o755)
    container = look(host)[0].container(CONTAINER_ID)
    assert container is not None
    assert container.secret_checks == checks_of(("FIRST=naïve ✓ \x80=\"'", f"SECOND={LONG}"))


def test_what_the_image_gives_is_seen_by_name_alone(tmp_path: Path) -> None:
    host = a_host(tmp_path / "host", {CONTAINER_ID: {}})
    image = {
        "ID": IMAGE_ID,
        "Config": {
            "Env": ["PATH=/bin", "TOKEN=hush=x"],
            "Labels": {"maker": "acme"},
            "Cmd": ["serve"],
            "Healthcheck": {"Test": ["CMD-SHELL", "bin/alive"]},
        },
    }
    host.docker(f"image inspect --format {IMAGE_TEMPLATE} -- {IMAGE_ID}", render(IMAGE_TEMPLATE, image))
    observed, printed = look(host)
    assert observed.image_defaults == {
        IMAGE_ID: ImageDefaults(
            env=frozenset({"PATH", "TOKEN"}), labels={"maker": "acme"}, command=("serve",), health_command="bin/alive"
        )
    }
    assert "hush" not in printed
