"""Names of images as registries and Docker take them.

Source: the grammar of references (https://pkg.go.dev/github.com/distribution/reference), and Docker's rule for what of
a name is a registry.
"""

from __future__ import annotations

import re

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
PATH = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*", re.ASCII)
LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = re.compile(rf"(?:{LABEL}(?:\.{LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII)
LONGEST_PATH = 255
CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
RULES = "small letters and digits, with single `.`, `_` or `-` between them, and `/` between parts"


def split_domain(name: str) -> tuple[str, str]:
    """The registry that a name begins with, if it does, and the rest."""
    first, slash, rest = name.partition("/")
    is_domain = slash and (first == "localhost" or "." in first or ":" in first)
    return (first, rest) if is_domain else ("", name)


def is_name(name: str) -> bool:
    """Whether a name, without tag and digest, is one that Docker takes."""
    domain, path = split_domain(name)
    return (
        (not domain or DOMAIN.fullmatch(domain) is not None or PATH.fullmatch(name) is not None)
        and PATH.fullmatch(path) is not None
        and len(path) <= LONGEST_PATH
    )


def is_reference(text: str) -> bool:
    """Whether a text is an image as ``docker run`` takes it: a name, with a tag or a digest or both."""
    rest, at, digest = text.partition("@")
    name, tag = split_tag(rest)
    return is_name(name) and (tag is None or bool(TAG.fullmatch(tag))) and (not at or bool(DIGEST.fullmatch(digest)))


def split_tag(text: str) -> tuple[str, str | None]:
    """A name and its tag; a port is no tag."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def server_problem(server: str) -> str | None:
    """What is wrong with the address of a registry, and what to write; a path below it may follow."""
    scheme = SCHEME.match(server)
    if scheme:
        return f"a registry has no {scheme[0]}; write {server[scheme.end() :].rstrip('/') or 'HOST or HOST:PORT'}"
    if server.endswith("/"):
        return f"a registry has no `/` at its end; write {server.rstrip('/') or 'HOST or HOST:PORT'}"
    host, slash, path = server.partition("/")
    if not DOMAIN.fullmatch(host) or (slash and not PATH.fullmatch(path)):
        return f"{server!r} is no registry; write HOST or HOST:PORT, without a user and without blanks"
    return None


def image_problem(image: str, server: str | None) -> str | None:
    """What is wrong with the app's image, and what to write.

    Args:
        image: without the registry's server.
        server: the registry; ``None`` or empty for Docker Hub.
    """
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
        return f"the registry's server goes before it by itself; write {image.removeprefix(f'{server}/')}"
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
        return None
    if SCHEME.match(image):
        return f"an image has no scheme; write {SCHEME.sub('', image)}"
    name = split_tag(image.partition("@")[0])[0]
    if name != name.lower() and is_reference(image.replace(name, name.lower(), 1)):
        return f"the name of an image has no capitals; write {image.replace(name, name.lower(), 1)}"
    return f"{image!r} is no image; write [SERVER/]NAME[:TAG], a NAME of {RULES}"
