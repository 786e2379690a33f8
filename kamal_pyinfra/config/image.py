"""The sections ``builder`` and ``registry``, and names of images as registries and Docker take them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator

from kamal_pyinfra.config import values
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.values import FilledText, Flag, Section, Text, field, ours, problem, to_text

PROXY = re.compile(r"(HTTPS?|FTP|ALL|NO)_PROXY", re.IGNORECASE | re.ASCII)
"""Build arguments that every build knows (https://docs.docker.com/reference/dockerfile/#predefined-args); the docker
command obeys variables of these names itself."""
Driver = Literal["docker-container", "docker"]
BUILT_IN_SERVER = "localhost:5555"
BUILT_IN_IMAGE = "registry:2"
LOOPBACK = re.compile(r"localhost:([0-9]{1,5})", re.ASCII)
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
PATH = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*", re.ASCII)
LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = re.compile(rf"(?:{LABEL}(?:\.{LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
"""What Docker accepts as an image tag."""
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII)
LONGEST_PATH = 255
CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
RULES = "small letters and digits, with single `.`, `_` or `-` between them, and `/` between parts"


class BuilderHost(Section):
    """A machine that builds."""

    arch: Text | None = field("Architecture to build there, such as `amd64`.")
    host: Text | None = field("Docker host, such as `ssh://root@192.0.2.9`; the engine of this machine without it.")


def to_cache_type(value: object) -> str:
    """One of the caches that BuildKit and Kamal both know."""
    text = to_text(value)
    if text not in ("gha", "registry"):
        raise problem(f"Invalid cache type: {text}")
    return text


class BuilderCache(Section):
    """Where layers are kept between builds."""

    type: Annotated[Literal["gha", "registry"], BeforeValidator(to_cache_type)] = field(
        "GitHub Actions' cache, or an image in the registry.", ...
    )
    options: Text | None = field("More options of the cache, comma separated.")
    image: Text | None = field("Image of the cache; `IMAGE-build-cache` without it.")


class Builder(Section):
    """How the image is built."""

    multiarch: Flag = field(
        "Build with buildx for `linux/amd64` and `linux/arm64`; `false`: for this machine's own platform.", True
    )
    local: BuilderHost | None = field(
        "The engine that builds beside `remote`; alone, its `arch` is the only one built."
    )
    remote: BuilderHost | None = field("A machine that builds, for its own architecture.")
    driver: Annotated[Driver, BeforeValidator(to_text)] = ours(
        "What builds at `remote`: a container with BuildKit (Kamal's way), or its `docker` engine itself.",
        "docker-container",
    )
    cache: BuilderCache | None = field("Cache for layers.")
    context: FilledText | None = field("Folder to build; with it the working tree is built instead of a git clone.")
    dockerfile: FilledText = field("Dockerfile, from the project's folder.", "Dockerfile")
    target: Text | None = field("Stage of the Dockerfile to build.")
    args: Options = field("Build arguments.", {})
    secrets: tuple[Text, ...] = field("Environment variables for `--secret id=NAME`.", ())
    ssh: Text | None = field("SSH agent or keys for the build, as `default=$SSH_AUTH_SOCK`.")


class Registry(Section):
    """Where the image is pushed to and pulled from.

    Without the section, or with `server: localhost:PORT` and no user (as in Kamal 2), it is a container on the
    deploying machine, which hosts reach only through the SSH connection of the deploy.
    """

    server: Text | None = field("Host of the registry; Docker Hub without it.")
    username: values.Lookup | None = field("User name, or a list of one environment variable's name.")
    password: values.SecretLookup | None = field(
        "Password, or a list of one environment variable's name. One that a program prints: "
        "`[ECR_PASSWORD]`, and `ECR_PASSWORD=$(aws ecr get-login-password) kp deploy`."
    )
    image: FilledText = ours("Image of the registry on the deploying machine, if there is no other.", BUILT_IN_IMAGE)

    @property
    def is_built_in(self) -> bool:
        """Whether it is a container on the deploying machine."""
        has_account = self.username is not None or self.password is not None
        return not has_account and LOOPBACK.fullmatch(self.server or "") is not None

    @property
    def built_in_port(self) -> int:
        """Its port on the loopback interface of the deploying machine, and of hosts while they pull."""
        return int((self.server or BUILT_IN_SERVER).rpartition(":")[2])


BUILT_IN = Registry(server=BUILT_IN_SERVER)
"""The registry of a configuration that names none."""


def split_domain(name: str) -> tuple[str, str]:
    """The registry that a name begins with, or nothing, and the rest (Docker's rule)."""
    first, slash, rest = name.partition("/")
    is_domain = slash and (first == "localhost" or "." in first or ":" in first)
    return (first, rest) if is_domain else ("", name)


def is_name(name: str) -> bool:
    """Whether Docker takes a name without tag and digest."""
    domain, path = split_domain(name)
    is_right = not domain or DOMAIN.fullmatch(domain) or PATH.fullmatch(name)
    return bool(is_right and PATH.fullmatch(path)) and len(path) <= LONGEST_PATH


def is_reference(text: str) -> bool:
    """Whether ``docker run`` takes a text as an image: a name, with a tag, a digest or both."""
    rest, at, digest = text.partition("@")
    name, tag = split_tag(rest)
    return is_name(name) and (tag is None or bool(TAG.fullmatch(tag))) and (not at or bool(DIGEST.fullmatch(digest)))


def split_tag(text: str) -> tuple[str, str | None]:
    """A name and its tag; a port is no tag."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def server_problem(server: str) -> str | None:
    """What is wrong with the address of a registry, and what to write; a path may follow the host."""
    scheme = SCHEME.match(server)
    if scheme:
        return f"a registry has no {scheme[0]}; write {server[scheme.end() :].rstrip('/') or 'HOST or HOST:PORT'}"
    if server.endswith("/"):
        return f"a registry has no `/` at its end; write {server.rstrip('/') or 'HOST or HOST:PORT'}"
    host, slash, path = server.partition("/")
    if not DOMAIN.fullmatch(host) or (slash and not PATH.fullmatch(path)):
        return f"{server!r} is no registry; write HOST or HOST:PORT, without a user and without blanks"
    return None if has_possible_port(host) else f"{server!r} should have a port between 1 and 65535"


def has_possible_port(domain: str) -> bool:
    """Whether the port of a registry, if it names one, can be one."""
    port = re.search(r":([0-9]+)\Z", domain)
    return port is None or (len(port[1]) < 6 and 0 < int(port[1]) < 65536)


def image_problem(image: str, server: str | None) -> str | None:
    """What is wrong with the app's image, and what to write; ``image`` is without the registry's server."""
    scheme = SCHEME.match(image)
    if scheme:
        return f"an image has no {scheme[0]}; write {image[scheme.end() :]}"
    rest, at, _ = image.partition("@")
    if at:
        return f"an image has no digest here, as its tag is the version; write {split_tag(rest)[0]}"
    name, tag = split_tag(image)
    if tag is not None:
        return f"an image has no tag here, as its tag is the version; write {name}"
    if server and image.startswith(f"{server}/"):
        return f"kp adds the registry's server; write {image.removeprefix(f'{server}/')}"
    if is_name("/".join(filter(None, (server, image)))):
        return None
    lower = image.lower().strip("/")
    way_out = lower if is_name("/".join(filter(None, (server, lower)))) else "such as acme/shop"
    if len(split_domain(image)[1]) > LONGEST_PATH:
        return f"is longer than the {LONGEST_PATH} characters that the name of an image may have"
    return f"{image!r} is no name that a registry takes ({RULES}); write {way_out}"


def reference_problem(image: str) -> str | None:
    """What is wrong with an image that may have a tag or a digest, and what to write."""
    if is_reference(image):
        is_possible = has_possible_port(split_domain(image)[0])
        return None if is_possible else f"{image!r} should have a port between 1 and 65535"
    if SCHEME.match(image):
        return f"an image has no scheme; write {SCHEME.sub('', image)}"
    name = split_tag(image.partition("@")[0])[0]
    if name != name.lower() and is_reference(image.replace(name, name.lower(), 1)):
        return f"the name of an image has no capitals; write {image.replace(name, name.lower(), 1)}"
    return f"{image!r} is no image; write [SERVER/]NAME[:TAG], a NAME of {RULES}"
