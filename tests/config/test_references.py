"""Names that no registry and no Docker takes are refused when the file is read, and no others."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamal_pyinfra.config.image import is_reference
from kamal_pyinfra.errors import ConfigError
from tests.config.conftest import Load, Problems

RULES = "small letters and digits, with single `.`, `_` or `-` between them, and `/` between parts"
IMAGES = {
    "Acme/Shop": f"image: 'Acme/Shop' is no name that a registry takes ({RULES}); write acme/shop",
    "acme/shop:latest": "image: an image has no tag here, as its tag is the version; write acme/shop",
    "acme/shop@sha256:" + "a" * 64: "image: an image has no digest here, as its tag is the version; write acme/shop",
    "acme/shop:v1@sha256:" + "a" * 64: "image: an image has no digest here, as its tag is the version; write acme/shop",
    "ghcr.io/acme/shop": "image: kp adds the registry's server; write acme/shop",
    "https://ghcr.io/acme/shop": "image: an image has no https://; write ghcr.io/acme/shop",
    "/acme/shop/": f"image: '/acme/shop/' is no name that a registry takes ({RULES}); write acme/shop",
    "acme//shop": f"image: 'acme//shop' is no name that a registry takes ({RULES}); write such as acme/shop",
    "acme/_shop": f"image: 'acme/_shop' is no name that a registry takes ({RULES}); write such as acme/shop",
    "x" * 256: "image: is longer than the 255 characters that the name of an image may have",
}
SERVERS = {
    "https://ghcr.io": "a registry has no https://; write ghcr.io",
    "http://r.example.com:5000/": "a registry has no http://; write r.example.com:5000",
    "ghcr.io/": "a registry has no `/` at its end; write ghcr.io",
    "u@ghcr.io": "'u@ghcr.io' is no registry; write HOST or HOST:PORT, without a user and without blanks",
    "my_registry:5000": "'my_registry:5000' is no registry; write HOST or HOST:PORT, without a user and without blanks",
    "r:port": "'r:port' is no registry; write HOST or HOST:PORT, without a user and without blanks",
    "ghcr.io:99999": "'ghcr.io:99999' should have a port between 1 and 65535",
    "ghcr.io:0/team": "'ghcr.io:0/team' should have a port between 1 and 65535",
    "ghcr.io/Team": "'ghcr.io/Team' is no registry; write HOST or HOST:PORT, without a user and without blanks",
}
OTHERS = {
    "r.example.com:70000/x:1": "'r.example.com:70000/x:1' should have a port between 1 and 65535",
    "MySQL:8": "the name of an image has no capitals; write mysql:8",
    "https://r.example.com/x": "an image has no scheme; write r.example.com/x",
    "a:b:c": f"'a:b:c' is no image; write [SERVER/]NAME[:TAG], a NAME of {RULES}",
    "mysql:": f"'mysql:' is no image; write [SERVER/]NAME[:TAG], a NAME of {RULES}",
}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_that_no_registry_takes_is_refused_with_what_to_write(problems: Problems, image: str) -> None:
    assert problems(image=image, registry="{server: ghcr.io, username: u, password: p}") == f"2:8 {IMAGES[image]}"


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_is_no_registry_is_refused_with_what_to_write(problems: Problems, server: str) -> None:
    registry = f"{{username: u, password: p, server: '{server}'}}"
    assert problems(registry=registry) == f"3:46 registry/server: {SERVERS[server]}"


@pytest.mark.parametrize("image", OTHERS)
def test_other_images_may_have_tags_and_digests_and_no_more(problems: Problems, image: str) -> None:
    accessories = f"{{db: {{host: a, image: '{image}'}}}}"
    assert problems(accessories=accessories, traefik=f"{{image: '{image}'}}") == (
        f"5:36 accessories/db/image: {OTHERS[image]}\n6:18 traefik/image: {OTHERS[image]}"
    )


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("shop", None),
        ("acme/shop", "ghcr.io"),
        ("acme/shop", "registry.example.com:5000"),
        ("shop", "registry.example.com/team/sub"),
        ("shop", "Registry.Example.com"),
        ("shop", "[2001:db8::1]:5000"),
        ("shop", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
        ("docker.io/acme/shop", "harbor.example.com"),
        ("ghcr.io/acme/shop", None),
        ("localhost:5000/acme/shop", None),
        ("a-b--c/d.e_f__g/h", None),
    ],
)
def test_what_docker_takes_is_taken(load: Load, image: str, server: str | None) -> None:
    at = f", server: '{server}'" if server else ""
    assert load(image=image, registry=f"{{username: u, password: p{at}}}").repository == (
        f"{server}/{image}" if server else image
    )


def test_containers_cannot_have_every_name(problems: Problems) -> None:
    rule = "should be a name that a container may have: letters, digits, `_`, `.` and `-`, at least two, the first"
    assert problems(
        service="_app", accessories="{db: {image: a, host: b, service: -db}, q: {image: a, host: b, service: q}}"
    ) == (
        "1:10 service: should begin with a letter or a digit, as the names of containers do; write app\n"
        f"5:48 accessories/db/service: {rule} a letter or a digit; write db\n"
        f"5:86 accessories/q/service: {rule} a letter or a digit"
    )


# As https://github.com/distribution/reference spells it (regexp.go); nothing is shared with the package.
ALNUM = "[a-z0-9]+"
PATH = rf"{ALNUM}(?:(?:[._]|__|[-]+){ALNUM})*"
HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = rf"(?:{HOST}(?:\.{HOST})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
TAG, DIGEST = r"[\w][\w.-]{0,127}", r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
REFERENCE = re.compile(rf"((?:{DOMAIN}/)?{PATH}(?:/{PATH})*)(?::({TAG}))?(?:@({DIGEST}))?", re.ASCII)
TEXTS = st.text("aA0.-_:/@", min_size=1, max_size=14) | st.from_regex(REFERENCE, fullmatch=True).filter(
    lambda text: len(text) < 200
)
IN_PROJECT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def docker_takes(text: str) -> bool:
    """Whether the reference is one, read as Docker reads it: what has no dot, port or `localhost` is no registry."""
    first, slash, rest = text.partition("/")
    has_domain = slash and ("." in first or ":" in first or first == "localhost")
    path = rest if has_domain else text
    return (
        REFERENCE.fullmatch(text if has_domain else f"docker.io/{text}") is not None
        and re.match(PATH, path) is not None
    )


@given(text=TEXTS)
def test_a_reference_is_what_dockers_grammar_says(text: str) -> None:
    assert is_reference(text) == docker_takes(text)


@IN_PROJECT
@given(image=TEXTS, server=st.sampled_from(["", "ghcr.io", "r.example.com:5000", "localhost:5000/a"]))
def test_nothing_that_docker_takes_is_refused(load: Load, image: str, server: str) -> None:
    whole = "/".join(filter(None, (server, image)))
    is_wanted = docker_takes(f"{whole}:v1") and not (server and image.startswith(f"{server}/"))
    registry = json.dumps({"username": "u", "password": "p", "server": server})
    try:
        load(image=json.dumps(image), registry=registry)
    except ConfigError:
        assert not is_wanted
    else:
        assert is_wanted
