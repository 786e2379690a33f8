"""Recognition of Kamal 2's files by keys that Kamal 1.9 lacks: one message in place of many misleading ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kamal_pyinfra.config.document.tree import Map, Node, Place, Problem, Scalar

ROOT_KEYS = ("proxy", "aliases", "error_pages_path")
BUILDER_KEYS = ("arch", "pack", "provenance", "sbom")
KAMAL_1_KEYS = ("traefik", "healthcheck", "stop_wait_time")
INSTEAD = {
    "proxy": "labels of Traefik and `healthcheck` for `proxy`",
    "builder.arch": "`builder: {local: {arch: ARCH}}` for `builder.arch`",
    "builder.remote": "`builder: {remote: {arch: ARCH, host: ssh://…}}` for `builder.remote`",
    "builder.local": "`builder: {multiarch: false}` for `builder.local`",
    "aliases": "nothing for `aliases`",
    ".kamal/secrets": "`.env` for `.kamal/secrets`",
}


def kamal_2_problem(tree: Map, root: Path) -> Problem | None:
    """The one problem of a file of Kamal 2, which also names ``.kamal/secrets`` below ``root``; ``None`` for others."""
    found = dict(signs(tree))
    if not found:
        return None
    first = min((place.key or place.position for place in found.values()), key=lambda place: place.line)
    names = [*found, *([".kamal/secrets"] if any((root / ".kamal").glob("secrets*")) else [])]
    known = dict.fromkeys("proxy" if name.endswith("proxy") else name for name in names)
    instead = [INSTEAD[name] for name in known if name in INSTEAD]
    both = [name for name in KAMAL_1_KEYS if name in tree]
    beside = f" beside keys of Kamal 1.9 ({', '.join(both)})" if both else ""
    message = f"this is a configuration of Kamal 2 ({', '.join(names)}){beside}; kp reads Kamal 1.9's"
    return Problem(first, "", ": write ".join(filter(None, (message, ", ".join(instead)))))


def signs(tree: Map) -> Iterator[tuple[str, Place]]:
    """The keys that only Kamal 2 has, with their places."""
    yield from ((key, tree[key].place) for key in ROOT_KEYS if key in tree)
    builder = section(tree, "builder")
    yield from ((f"builder.{key}", builder[key].place) for key in BUILDER_KEYS if key in builder)
    remote, local = builder.get("remote"), builder.get("local")
    if isinstance(remote, Scalar) and "://" in str(remote.value):
        yield "builder.remote", remote.place
    if isinstance(local, Scalar) and isinstance(local.value, bool):
        yield "builder.local", local.place
    for key in ("servers", "accessories"):
        for name, part in section(tree, key).items():
            if isinstance(part, Map) and "proxy" in part:
                yield f"{key}.{name}.proxy", part["proxy"].place
    boot = section(tree, "boot")
    if "parallel_roles" in boot:
        yield "boot.parallel_roles", boot["parallel_roles"].place


def section(tree: Map, key: str) -> dict[str, Node]:
    """A map of the document; empty if there is none by that key."""
    found = tree.get(key)
    return found if isinstance(found, Map) else {}
