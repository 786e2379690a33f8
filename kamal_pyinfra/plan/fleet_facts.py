"""A fleet as flat text facts, so that two looks at it can be compared and a difference be named.

Nothing in it tells anything of a secret: of an env file only whether it is there, and its mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost

Facts = Mapping[str, str]
ABSENT = "(absent)"


def host_facts(observed: ObservedHost) -> dict[str, str]:
    """What is on a host: fact → value."""
    return dict(sorted(_facts(observed)))


def _facts(observed: ObservedHost) -> Iterator[tuple[str, str]]:
    yield "docker", observed.docker.version or observed.docker.error or "not installed"
    yield "version of the last run", observed.record.version if observed.record else ABSENT
    for container in observed.containers:
        yield from _container_facts(container)
    for image in observed.images:
        yield f"image {image.reference}", image.id
    for path, is_tied in observed.cords.items():
        yield f"cord {path}", "tied" if is_tied else "cut"
    for path, file in observed.files.items():
        yield f"env file {path}", f"mode {file.mode}"
    for path in observed.env_files.difference(observed.files):
        yield f"env file {path}", "present"
    for path in (*observed.directories, *observed.assets):
        yield f"directory {path}", "present"


def _container_facts(container: ObservedContainer) -> Iterator[tuple[str, str]]:
    name = f"container {container.name}"
    yield f"{name} id", container.id
    yield f"{name} state", container.status.value
    yield f"{name} health", container.health or "none"
    for field, values in container.options.items():
        if values:
            yield f"{name} {field}", " ".join(map(str, values))


def moved(before: Mapping[str, Facts], now: Mapping[str, Facts]) -> list[str]:
    """What is different between two looks at a fleet, a line each: ``192.0.2.1: container x state: a → b``."""
    return [
        f"{host}: {fact}: {before.get(host, {}).get(fact, ABSENT)} → {now.get(host, {}).get(fact, ABSENT)}"
        for host in sorted({*before, *now})
        for fact in sorted({*before.get(host, {}), *now.get(host, {})})
        if before.get(host, {}).get(fact) != now.get(host, {}).get(fact)
    ]
