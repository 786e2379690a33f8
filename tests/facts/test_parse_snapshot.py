from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamal_pyinfra.facts.snapshot import SnapshotError, parse_lock, parse_snapshot
from kamal_pyinfra.plan.state.desired import clear_check
from kamal_pyinfra.plan.state.observed import Docker, LockDetails, ObservedFile, ObservedImage, Status
from kamal_pyinfra.shell.snapshot import GO_NAMES, sums_template
from tests.facts.go_template import render
from tests.facts.looked_at import lines_of
from tests.shell.fake_host import template

FIXTURES = Path(__file__).parent.parent / "fixtures/docker"
SNAPSHOT = (FIXTURES / "snapshot_web.txt").read_text().splitlines()
LEAST = ["user deploy", "home /home/deploy", "docker 26.1.5", "end"]
PROXY_ID = "f19076c599f2eff606bf41f6301a19eafa13fb78b62925d81d951ed471a39904"
LOG_PATH = f"/var/lib/docker/containers/{PROXY_ID}/{PROXY_ID}-json.log"
HEALTH_COMMAND = "(curl -f http://localhost:3000/up || exit 1) && (stat /tmp/kamal-cord/cord > /dev/null || exit 1)"


def inspected(name: str) -> dict[str, Any]:
    container = dict(json.loads((FIXTURES / f"inspect_{name}.json").read_text()))
    container["ID"] = container["Id"]
    container.setdefault("HostConfig", {}).update(
        {go: container["HostConfig"].get(key) for key, go in GO_NAMES.items()}
    )
    return container


def looked_at(name: str, *clear: str, **labels: str):
    """The container as the snapshot sees it, from what ``docker inspect`` really returned, and more labels."""
    container = inspected(name)
    container["Config"]["Labels"] |= labels
    return parse_snapshot("web1", [*LEAST[:3], *lines_of(container, clear=clear), "end"]).containers[0]


def test_a_real_look_at_a_web_host():
    observed = parse_snapshot("web1", SNAPSHOT)
    assert (observed.host, observed.user, observed.home) == ("web1", "root", "/root")
    assert observed.docker == Docker(installed=True, version="26.1.5+dfsg1")
    assert observed.directories == {".kamal", ".kamal/locks", ".kamal/env/roles", ".kamal/env/traefik"}
    assert observed.files[".kamal/env/traefik/traefik.env"] == ObservedFile(
        digest="01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b", mode="600"
    )
    assert observed.cords == {".kamal/cords/shop-web-9842ebc88202bc87c4ca9266a82ba27b": True}
    assert observed.assets == {".kamal/assets/extracted/shop-web-v4", ".kamal/assets/volumes/shop-web-v4"}
    assert observed.logged_in
    assert observed.lock is None
    assert [image.reference for image in observed.images] == [
        *[f"registry.example.com/shop:{tag}" for tag in ("latest", "v4", "v1", "v2")],
        "registry.example.com/traefik:v3",
    ]
    assert observed.images[0].id == "sha256:5afef56cf021fd16602362e24043dfe1cd521dd4d8f01320b7660c7081722ce3"
    assert [(container.name, container.status, container.health) for container in observed.containers] == [
        ("shop-web-v1", Status.EXITED, "unhealthy"),
        ("shop-web-v2", Status.EXITED, "unhealthy"),
        ("shop-web-v4", Status.RUNNING, "healthy"),
        ("traefik", Status.RUNNING, None),
    ]


def test_a_real_app_container():
    container = looked_at("shop-web-running", **{"kp.clear": "COLOR"})
    labels = {name: text for name, text in container.labels.items() if name != "kp.clear"}
    of_the_options = {"labels": labels}
    of_the_options |= {"options": container.options, "log_driver": "json-file", "log_options": {"max-size": "10m"}}
    assert replace(container, labels=labels) == replace(
        parse_snapshot("web1", SNAPSHOT).containers[2], **of_the_options
    )
    assert container.options["ShmSize"] == (67108864,)
    assert container.options["restart"] == ("unless-stopped",)
    assert (container.service, container.role, container.destination, container.version) == ("shop", "web", "", "v4")
    assert container.digest == "510348daeeb05096b54a98631ff42dc0"
    assert container.env == {
        "TOP_SECRET": None,
        "COLOR": "blue",
        "KAMAL_CONTAINER_NAME": None,
        "KAMAL_VERSION": "v4",
        "PATH": None,
    }
    assert container.mounts == {
        "/app/public/assets": "/root/.kamal/assets/volumes/shop-web-v4",
        "/tmp/kamal-cord": "/root/.kamal/cords/shop-web-9842ebc88202bc87c4ca9266a82ba27b",
    }
    assert container.command == ("python", "app.py")
    assert (container.health_command, container.health_interval) == (HEALTH_COMMAND, 1.0)
    assert (container.ports, container.restarts) == ({}, 0)


def test_a_real_stopped_container_and_a_real_proxy():
    stopped = looked_at("shop-web-stopped")
    assert (stopped.status, stopped.is_running, stopped.version) == (Status.EXITED, False, "v2")
    proxy = looked_at("traefik")
    assert proxy.command == ("--providers.docker", "--log.level=DEBUG")
    assert proxy.ports == {"80/tcp": (":80",)}
    assert (proxy.health, proxy.health_command, proxy.health_interval) == (None, None, 0)
    assert proxy.labels["kp.owner"] == "shop"


ENV = [
    *(
        "TOP_SECRET=hush=1=2",
        "COLORS=hush",
        "COLOR=a=b",
        "XCOLOR=hush",
        "EMPTY=",
        "BARE",
        'QUOTED=hush"hush',
        "color=hush",
    ),
    *("COLOR,SIZE=hush", ",=hush", "KAMAL_VERSION=v4", "KAMAL_VERSION_2=hush"),
]


def shown(labels: dict[str, str], clear: Sequence[str] = ("TOP_SECRET", "COLOR"), **changed: Any) -> dict[str, str]:
    """Variables whose values leave the host, with these labels and these names in the configuration."""
    container = inspected("shop-web-running") | changed
    container["Config"] |= {"Env": ENV, "Labels": labels}
    lines = list(lines_of(container, clear=clear))
    assert "hush" not in "\n".join(lines)
    env = parse_snapshot("web1", [*LEAST[:3], *lines, "end"]).containers[0].env
    assert {"TOP_SECRET", "EMPTY", "BARE", "QUOTED"} <= env.keys()
    return {name: value for name, value in env.items() if value is not None}


OF_APP = {"service": "shop", "role": "web", "destination": ""}
VERSION = {"KAMAL_VERSION": "v4"}


def test_the_container_says_which_of_its_values_may_leave_the_host() -> None:
    assert shown(OF_APP | {"kp.clear": "COLOR,SIZE"}) == VERSION | {"COLOR": "a=b"}
    assert shown(OF_APP | {"kp.clear": "SIZE"}) == VERSION
    assert shown({"kp.accessory": "shop/db", "kp.clear": "COLOR"}) == {"COLOR": "a=b"}
    assert shown({"kp.owner": "shop", "kp.clear": "COLOR"}) == {"COLOR": "a=b"}


def test_what_todays_configuration_calls_clear_stays_on_the_host_in_a_container_that_does_not_say_so() -> None:
    """It may have been a secret when the container was started; one of Kamal's says nothing at all."""
    assert shown(OF_APP) == VERSION
    assert shown(OF_APP | {"kp.digest": "d1", "kp.clear": ""}) == VERSION


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "billing", "role": "web", "destination": ""},
        {"service": "shop", "role": "web", "destination": "staging"},
        {"service": "shop"},
        {"kp.accessory": "billing/db"},
        {"kp.owner": "billing"},
        {},
    ],
)
def test_no_value_of_a_neighbour_leaves_the_host_whatever_its_labels_say(labels: dict[str, str]) -> None:
    found = shown(labels | {"kp.clear": "COLOR,TOP_SECRET"})
    assert found == (VERSION if labels.get("service") == "shop" else {})


def test_of_a_neighbour_neither_numbers_nor_commands_leave_the_host() -> None:
    container = inspected("shop-web-running")
    container["Config"] |= {"Env": ENV, "Labels": {"service": "billing"}, "Cmd": ["serve", "--token=hush"]}
    (line,) = lines_of(container, clear=("TOP_SECRET",))
    assert "hush" not in line


def test_of_a_container_of_ours_a_number_tells_whether_a_variable_differs() -> None:
    container = looked_at("shop-web-running", "COLOR")
    assert (container.env["COLOR"], container.clear_checks) == (None, {"COLOR": clear_check("COLOR", "blue")})
    assert looked_at("traefik", "PATH").clear_checks.keys() == {"PATH"}


def test_a_name_that_would_end_the_template_is_not_asked_for():
    assert 'ev"il' not in sums_template(['ev"il', "GOOD"], ["ev\\il", "FINE"])
    assert "ev\\il" not in sums_template(['ev"il', "GOOD"], ["ev\\il", "FINE"])
    assert '"GOOD"' in sums_template(['ev"il', "GOOD"], [])


@pytest.mark.parametrize(
    ("name", "state", "serving", "noted"),
    [
        (
            "shop-web-running",
            "running healthy 0",
            "healthy",
            "/shop-web-v4 true healthy 2026-11-23T07:14:21.864397348Z =172.17.0.3,",
        ),
        (
            "shop-web-stopped",
            "exited unhealthy 0",
            "stopped",
            "/shop-web-v2 false unhealthy 2026-11-23T07:14:03.332799295Z =",
        ),
        (
            "traefik",
            "running none 0",
            "none",
            f'/traefik true none {LOG_PATH} ["--providers.docker","--log.level=DEBUG"]\n'
            "+at json-file bridge =172.17.0.2,",
        ),
    ],
)
def test_the_formats_of_the_waiting_loops_on_real_containers(name, state, serving, noted):
    container = inspected(name)
    assert render(template("state_of"), container) == state
    assert render(template("serving_state_of"), container) == serving
    assert render(template("note_servers"), container) == noted


def test_the_last_probe_of_a_real_container_is_one_line():
    text = render(template("report").replace('{{"\\n"}}', "\n"), inspected("shop-web-running"))
    assert text.startswith('health check exited 0: "  % Total')
    assert text.count("\n") == 1


@pytest.mark.parametrize("length", range(len(LEAST)))
def test_a_look_that_was_cut_short_is_an_error(length):
    with pytest.raises(SnapshotError, match="the snapshot is cut short"):
        parse_snapshot("web1", LEAST[:length])


@pytest.mark.parametrize(
    "line",
    [
        "container {",
        "container []",
        "container {}",
        'container {"id":"a"}',
        "container null",
        "file abc",
        SNAPSHOT[13].replace('"exited"', '"asleep"'),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error(line):
    with pytest.raises(SnapshotError, match="the snapshot cannot be read"):
        parse_snapshot("web1", [*LEAST[:3], line, "end"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("container {}", "line 4, container: id: Field required"),
        ('container {"id": 1}', "line 4, container: id: Input should be a valid string"),
        (SNAPSHOT[13].replace('"role":"web"', '"role":["web"]'),
         "line 4, container: labels/role: Input should be a valid string"),
        ("container " + "[" * 5000, "line 4, container: Invalid JSON: recursion limit exceeded at line 1 column 202"),
        ("file-check x A .kamal/a", "line 4, file-check: invalid literal for int() with base 10: 'x'"),
        ("file \x1b[31m", "line 4, file: not enough values to unpack (expected 3, got 1)"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named(line, problem):
    with pytest.raises(SnapshotError) as error:
        parse_snapshot("web1", [*LEAST[:3], line, "end"])
    assert str(error.value) == f"the snapshot cannot be read: {problem}"


def test_a_record_nested_too_deep_counts_as_none():
    assert parse_snapshot("web1", [*LEAST[:3], "record " + "[" * 100_000, "end"]).record is None


def test_an_engine_that_said_nothing_at_all_is_an_error():
    with pytest.raises(SnapshotError):
        parse_snapshot("web1", ["user deploy", "home /home/deploy", "end"])


def test_what_a_login_shell_prints_before_is_passed_over():
    observed = parse_snapshot("web1", ["", "Welcome to web1!", "  * 3 updates", *LEAST])
    assert observed == parse_snapshot("web1", LEAST)


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.one_of(st.text(max_size=40), st.sampled_from(SNAPSHOT)), max_size=8))
def test_any_output_is_a_host_or_a_snapshot_error(lines):
    with contextlib.suppress(SnapshotError):
        assert parse_snapshot("web1", [*lines, "end"]).host == "web1"


@pytest.mark.parametrize(
    ("lines", "docker"),
    [
        (["docker-missing"], Docker(installed=False)),
        (["docker-error permission denied "], Docker(installed=True, error="permission denied")),
        (["docker-error Cannot connect to the Docker daemon"],
         Docker(installed=True, error="Cannot connect to the Docker daemon")),
        (["docker-error "], Docker(installed=True, error="no answer")),
    ],
)  # fmt: skip
def test_an_engine_that_is_missing_or_silent_is_data(lines, docker):
    observed = parse_snapshot("web1", ["user deploy", "home /home/deploy", "directory .kamal", *lines, "end"])
    assert observed.docker == docker
    assert not observed.docker.is_usable
    assert observed.directories == {".kamal"}
    assert observed.containers == ()


def test_paths_and_references_may_hold_blanks():
    observed = parse_snapshot(
        "web1",
        [
            *LEAST[:3],
            "file d1ge57 600 my run/env/roles/shop web.env",
            "cord cut my run/cords/shop-web-1",
            "assets my run/assets/volumes/x",
            "image registry.example.com:5000/acme/shop:<none> sha256:1",
            "end",
        ],
    )
    assert observed.files == {"my run/env/roles/shop web.env": ObservedFile(digest="d1ge57", mode="600")}
    assert observed.cords == {"my run/cords/shop-web-1": False}
    assert observed.assets == {"my run/assets/volumes/x"}
    assert observed.images == (ObservedImage(reference="registry.example.com:5000/acme/shop:<none>", id="sha256:1"),)


def test_a_lock_of_kamals():
    content = base64.b64encode(
        b"Locked by: Dev: the one at 2024-05-01T10:00:00Z\nVersion: abc\nMessage: Automatic deploy lock"
    ).decode()
    assert parse_lock(content) == LockDetails(
        content=content,
        locked_by="Dev: the one at 2024-05-01T10:00:00Z",
        version="abc",
        message="Automatic deploy lock",
        holder="",
    )


@pytest.mark.parametrize(
    "content", ["", "not base64!", "AAA", "\u2028QQ==", base64.b64encode(b"\xff\xfe\x00").decode()]
)
def test_a_lock_that_cannot_be_read_is_still_a_lock(content):
    assert parse_lock(content) == LockDetails(content=content, locked_by="unknown", version="unknown")
    observed = parse_snapshot("web1", [f"lock {content}", *LEAST])
    assert observed.lock is not None
