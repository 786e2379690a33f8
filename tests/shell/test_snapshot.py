"""The snapshot script, run by real shells; what it prints is read back by the parser."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import replace

import pytest

from kamal_pyinfra.facts.snapshot import parse_snapshot
from kamal_pyinfra.plan.state.desired import check
from kamal_pyinfra.plan.state.observed import Docker, ObservedFile, ObservedHost, ObservedImage
from kamal_pyinfra.shell.snapshot import IMAGE_TEMPLATE, SnapshotQuery, container_template, snapshot, sums_template
from tests.facts.go_template import render
from tests.facts.looked_at import SHOP
from tests.shell.fake_host import Answer, FakeHost, template

QUERY = SnapshotQuery(
    repository="registry.example.com/acme/shop",
    proxy_image="traefik:v2.11",
    registry="registry.example.com",
    run_directory=".kamal",
    lock=".kamal/locks/shop",
    directories=(".kamal", ".kamal/locks", ".kamal/env/roles"),
    env_files=(".kamal/env/roles/shop-web.env", ".kamal/env/traefik/traefik.env"),
    ours=SHOP,
    clear_names=("COLOR",),
)
TEMPLATE = container_template(SHOP) + sums_template((), QUERY.clear_names)
LISTED = (
    '{{if .Label "service"}}{{.ID}}{{else}}{{range split .Names ","}}{{if eq . "traefik"}}{{$.ID}}{{end}}{{end}}{{end}}'
)
NAMED = LISTED.replace('"traefik"', '"traefik" "shop-web-v2" "shop-db"')
ENGINE = f"version --format {template('version_of_engine')}"
LIST = f"ps --all --no-trunc --format {LISTED}"
IMAGES = (
    "image ls --no-trunc --filter reference=registry.example.com/acme/shop --filter reference=traefik:v2.11"
    " --format image {{.Repository}}:{{.Tag}} {{.ID}}"
)
AGE = "image inspect --format image-age {{.ID}} {{.Metadata.LastTagTime.Unix}} {{.Created}} --"
IMAGE_ID = f"sha256:{'1f' * 32}"
CONTAINER = {
    "id": "aa",
    "name": "/shop-web-v1",
    "created": "2026-05-01T10:00:00Z",
    "image": "acme/shop:v1",
    "image_id": IMAGE_ID,
    "status": "running",
    "started": "2026-05-01T10:00:01Z",
    "health": "healthy",
    "restarts": 0,
    "labels": {"service": "shop"},
    "command": None,
    "healthcheck": None,
    "mounts": [],
    "ports": {},
    "env": ["SECRET", "COLOR=blue", None],
}
LINE = f"container {json.dumps(CONTAINER)}"


@pytest.fixture
def docker(host: FakeHost) -> FakeHost:
    """A host whose engine answers and has nothing."""
    host.docker(ENGINE, "26.1.5")
    host.docker(LIST)
    host.docker(IMAGES)
    return host


def look(docker: FakeHost) -> ObservedHost:
    ran = docker.run(snapshot(QUERY))
    assert (ran.code, ran.err) == (0, "")
    return parse_snapshot("web1", ran.out.splitlines())


def test_a_host_with_nothing_is_an_empty_host(docker):
    observed = look(docker)
    assert observed == ObservedHost(
        host="web1",
        user=observed.user,
        home=str(docker.home),
        docker=Docker(installed=True, version="26.1.5"),
        now=observed.now,
    )
    assert observed.user


def test_everything_on_a_host_is_seen(docker):
    home = docker.home
    for path in (".kamal/env/roles", ".kamal/locks/shop", ".kamal/cords/shop-web-1", ".kamal/cords/shop web-2"):
        (home / path).mkdir(parents=True)
    for kind in ("extracted", "volumes"):
        (home / f".kamal/assets/{kind}/shop-web-v1").mkdir(parents=True)
    (home / ".kamal/cords/shop-web-1/cord").touch()
    (home / ".kamal/cords/a file").touch()
    env_file = home / ".kamal/env/roles/shop-web.env"
    env_file.write_text("A=1\n")
    env_file.chmod(0o640)
    details = base64.b64encode(b"Locked by: Eve at T\nVersion: v1\nMessage: why").decode()
    (home / ".kamal/locks/shop/details").write_text(f"{details[:20]}\n{details[20:]}\n")
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"auths": {"registry.example.com": {"auth": "c2VjcmV0"}}}')
    docker.docker(LIST, "bb\n\naa\n\naa\n")
    docker.docker(f"inspect --format {TEMPLATE} aa bb", f"{LINE}\n{LINE.replace('v1', 'v2')}\n")
    docker.docker(IMAGES, "image registry.example.com/acme/shop:v1 sha256:1\n")
    observed = look(docker)
    assert observed.directories == {".kamal", ".kamal/locks", ".kamal/env/roles"}
    assert observed.files == {
        ".kamal/env/roles/shop-web.env": ObservedFile(
            digest=hashlib.sha256(b"A=1\n").hexdigest(), mode="640", checks={"A": check("A=1")}
        )
    }
    assert observed.cords == {".kamal/cords/shop-web-1": True, ".kamal/cords/shop web-2": False}
    assert observed.assets == {".kamal/assets/extracted/shop-web-v1", ".kamal/assets/volumes/shop-web-v1"}
    assert observed.images == (ObservedImage(reference="registry.example.com/acme/shop:v1", id="sha256:1"),)
    assert [container.name for container in observed.containers] == ["shop-web-v1", "shop-web-v2"]
    assert observed.logged_in
    assert observed.lock is not None
    assert (observed.lock.content, observed.lock.locked_by, observed.lock.version) == (details, "Eve at T", "v1")


def test_a_look_changes_nothing(docker):
    look(docker)
    assert list(docker.home.iterdir()) == []


def test_the_credentials_of_another_registry_do_not_count(docker):
    (docker.home / ".docker").mkdir()
    (docker.home / ".docker/config.json").write_text('{"auths": {"registryXexample.com": {}, "r.example.com": {}}}')
    assert not look(docker).logged_in


def test_a_lock_without_details_is_a_lock(docker):
    (docker.home / ".kamal/locks/shop").mkdir(parents=True)
    lock = look(docker).lock
    assert lock is not None
    assert (lock.content, lock.locked_by) == ("", "unknown")


@pytest.mark.parametrize(
    "said",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        "two\nlines",
    ],
)
def test_an_engine_that_does_not_answer_is_an_error_and_the_rest_is_seen(host, said):
    (host.home / ".kamal").mkdir()
    for question in (ENGINE, LIST):
        host.docker(question, Answer(err=said, code=1))
    observed = look(host)
    assert observed.docker == Docker(installed=True, error=said.replace("\n", " "))
    assert not observed.docker.is_usable
    assert observed.directories == {".kamal"}


def test_without_docker_the_rest_is_seen(host):
    for name in ("sh", "id", "cat", "tr", "sha256sum", "stat", "cut", "grep"):
        (host.bin / name).symlink_to(shutil.which(name) or name)
    (host.home / ".kamal").mkdir()
    ran = host.run(f"/bin/rm {host.bin}/docker; PATH={host.bin}; {snapshot(QUERY)}")
    assert (ran.code, ran.err) == (0, "")
    observed = parse_snapshot("web1", ran.out.splitlines())
    assert observed.docker == Docker(installed=False)
    assert observed.directories == {".kamal"}


def test_a_container_that_vanishes_between_two_calls_makes_it_look_again(docker):
    docker.docker(LIST, "aa\nbb\n", "aa\n")
    docker.docker(f"inspect --format {TEMPLATE} aa bb", Answer(out=LINE, err="Error: No such object: bb", code=1))
    docker.docker(f"inspect --format {TEMPLATE} aa", LINE)
    assert [container.name for container in look(docker).containers] == ["shop-web-v1"]


def test_an_engine_that_dies_in_between_is_loud(docker):
    docker.docker(LIST, Answer(err="Cannot connect to the Docker daemon", code=1))
    ran = docker.run(snapshot(QUERY))
    assert (ran.code, ran.err) == (1, "Cannot connect to the Docker daemon\n")
    assert "end" not in ran.out.splitlines()


def test_more_than_a_pipe_holds_is_seen_too(docker):
    """Images are listed while containers are looked at, and read afterwards."""
    many = [f"registry.example.com/acme/shop:v{number}" for number in range(3000)]
    ids = [f"sha256:{number:0>64}" for number in range(3000)]
    docker.docker(IMAGES, "".join(f"image {name} {identity}\n" for name, identity in zip(many, ids, strict=True)))
    docker.docker(f"{AGE} {' '.join(ids[:100])}", f"image-age {ids[0]} 12 2026-11-29T17:00:33Z\n")
    ran = docker.run(snapshot(QUERY))
    assert (ran.code, ran.err) == (0, "")
    seen = parse_snapshot("h", ran.out.splitlines())
    assert [image.reference for image in seen.images] == many
    assert seen.image_times == {ids[0]: 1795971633}


def ids_asked_for(docker: FakeHost, images: list[str], asked: str) -> tuple[dict[str, float], float]:
    """Look at a host with a container of version 1, and these images; any other question is an error."""
    docker.docker(LIST, "aa\n")
    docker.docker(f"inspect --format {TEMPLATE} aa", f"of-image {IMAGE_ID}\n{LINE}\n")
    docker.docker(f"image inspect --format {IMAGE_TEMPLATE} -- {IMAGE_ID}", "")
    docker.docker(IMAGES, "".join(f"image {image}\n" for image in images))
    if asked:
        docker.docker(
            f"{AGE} {asked}", "".join(f"image-age {each} 12 2026-11-29T17:00:33Z\n" for each in asked.split())
        )
    seen = look(docker)
    assert len(seen.images) == len(images)
    return seen.image_times, seen.now


SECOND, THIRD = f"sha256:{'2f' * 32}", f"sha256:{'3f' * 32}"
SHOP_IMAGE = "registry.example.com/acme/shop"


@pytest.mark.parametrize(
    "images",
    [
        [f"{SHOP_IMAGE}:v1 {IMAGE_ID}", f"{SHOP_IMAGE}:latest {IMAGE_ID}", f"{SHOP_IMAGE}:latest-staging {SECOND}"],
        [f"{SHOP_IMAGE}:v1 {IMAGE_ID}", f"{SHOP_IMAGE}:<none> {SECOND}", f"traefik:v2.11 {THIRD}"],
        [f"{SHOP_IMAGE}:v1 {IMAGE_ID}", f"{SHOP_IMAGE}:v2 sha256:1", f"{SHOP_IMAGE}:v3 {SECOND}0"],
        [],
    ],
    ids=["latest", "no version of ours", "no ids", "none"],
)
def test_where_each_version_has_its_container_no_image_is_asked_for_its_age(docker, images):
    assert ids_asked_for(docker, images, asked="") == ({}, 0)


@pytest.mark.parametrize(
    ("images", "asked"),
    [
        ([f"{SHOP_IMAGE}:v1 {IMAGE_ID}", f"{SHOP_IMAGE}:v2 {SECOND}"], SECOND),
        ([f"{SHOP_IMAGE}:v2 {IMAGE_ID}", f"{SHOP_IMAGE}:v1 {IMAGE_ID}"], IMAGE_ID),
        ([f"{SHOP_IMAGE}:v3 {THIRD}", f"{SHOP_IMAGE}:v2 {SECOND}", f"{SHOP_IMAGE}:v1 {IMAGE_ID}"], f"{THIRD} {SECOND}"),
    ],
    ids=["without a container", "a second tag", "two"],
)
def test_a_version_that_may_be_surplus_is_asked_for_its_age(docker, images, asked):
    times, now = ids_asked_for(docker, images, asked)
    assert times == dict.fromkeys(asked.split(), 1795971633)
    assert now > 0


def test_hard_names_are_only_names(docker):
    odd = "o'dd $(touch hacked) `x`"
    (docker.home / odd).mkdir()
    query = SnapshotQuery(**(QUERY.__dict__ | {"directories": (odd,), "run_directory": odd, "lock": f"{odd}/l"}))
    ran = docker.run(snapshot(query))
    observed = parse_snapshot("web1", ran.out.splitlines())
    assert observed.directories == {odd}
    assert [path.name for path in docker.home.iterdir()] == [odd]


FORGED = f"sha256:{'ee' * 32}"
OWN_LINES = {
    "a label": {"labels": {"service": "shop", "image_id": FORGED, "x": f'","image_id":"{FORGED}'}},
    "a label with lines": {"labels": {"service": "shop", "x": f"\nof-image {FORGED}\nend\nimage a:b {FORGED}\n"}},
    "a variable with lines": {"env": ["SECRET", f"COLOR=blue\ncontainer {{\nof-image {FORGED}\nlock x", None]},
    "a command with lines": {"command": [f"\nof-image {FORGED}", "\nrecord {}", "\n", "--help", "$(touch hacked)"]},
    "a health check with lines": {"healthcheck": {"Test": ["CMD-SHELL", f"\nof-image {FORGED}\ndocker-missing"]}},
    "a mount with lines": {"mounts": [{"Destination": f"/a\nof-image {FORGED}", "Source": "/b\nend", "RW": True}]},
}
OWN_IDS = ["", "--help", "-f /etc/passwd", f"{FORGED} {FORGED}", f"{FORGED}0", FORGED.upper(), "sha256:1", "$(touch x)"]


@pytest.mark.parametrize("text", OWN_LINES.values(), ids=OWN_LINES)
def test_what_a_container_says_is_no_line_of_ours(docker: FakeHost, text: dict[str, object]) -> None:
    """Labels, variables, commands and mounts are a container's own words, whatever they look like."""
    container = CONTAINER | text
    inspected = {
        "ID": "aa",
        "Name": "/shop-web-v1",
        "Created": CONTAINER["created"],
        "Image": IMAGE_ID,
        "State": {"Status": "running", "StartedAt": CONTAINER["started"], "Health": {"Status": "healthy"}},
        "RestartCount": 0,
        "Config": {
            "Image": "acme/shop:v1",
            "Labels": container["labels"],
            "Cmd": container["command"],
            "Healthcheck": container["healthcheck"],
            "Env": [text for text in container["env"] if text],
        },
        "Mounts": container["mounts"],
        "HostConfig": {"PortBindings": {}, "LogConfig": None, "RestartPolicy": {"Name": "always"}},
    }
    docker.docker(LIST, "aa")
    docker.docker(f"inspect --format {TEMPLATE} aa", render(TEMPLATE, inspected))
    docker.docker(f"image inspect --format {IMAGE_TEMPLATE} -- {IMAGE_ID}")
    observed = look(docker)
    (seen,) = observed.containers
    assert (seen.image_id, seen.labels) == (IMAGE_ID, container["labels"])
    assert (observed.lock, observed.record, observed.images, observed.docker.version) == (None, None, (), "26.1.5")


@pytest.mark.parametrize("identity", OWN_IDS)
def test_only_an_id_becomes_a_word_of_a_command(docker: FakeHost, identity: str) -> None:
    """An engine that gives an image another id than SHA-256 is not asked for it."""
    docker.docker(LIST, "aa")
    docker.docker(f"inspect --format {TEMPLATE} aa", f"of-image {identity}\n{LINE}")
    assert look(docker).image_defaults == {}


SILENT = Answer(err="Cannot connect to the Docker daemon.", code=1)


def test_an_engine_that_goes_while_it_is_looked_at_is_no_host_without_containers(docker):
    """It may have told its version by then."""
    docker.docker(ENGINE, "26.1.5", SILENT)
    docker.docker(LIST, SILENT)
    ran = docker.run(snapshot(QUERY))
    assert ran.code == 1 or parse_snapshot("web1", ran.out.splitlines()).docker.error


def test_an_engine_that_goes_before_it_lists_its_images_is_no_host_without_images(docker):
    docker.docker(IMAGES, SILENT)
    ran = docker.run(snapshot(QUERY))
    assert parse_snapshot("web1", ran.out.splitlines()).docker.error == "the images cannot be listed"


def test_containers_that_may_have_names_of_ours_are_looked_at_whatever_their_labels(host: FakeHost) -> None:
    """A stranger's container has no label of ours; by its name alone it would stand in the way."""
    host.docker(ENGINE, "26.1.5")
    host.docker(f"ps --all --no-trunc --format {NAMED}", "")
    host.docker(IMAGES, "")
    ran = host.run(snapshot(replace(QUERY, names=("shop-web-v2", "shop-db"))))
    assert ran.code == 0
