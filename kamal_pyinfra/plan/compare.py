"""How a running container differs from the configuration, field by field, as text for the cause."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from posixpath import normpath

from kamal_pyinfra.plan.command_line import split_command
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.state import AppContainer, Proxy


def app_differences(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> tuple[str, ...]:
    """Why ``observed`` is not what ``desired`` asks for; empty if it is.

    A container with our digest is decided by it alone, and by what stands behind the image's tag today. One
    without was made by Kamal and is compared by what ``docker inspect`` shows.
    """
    image = tuple(_image_fields(desired, observed, host))
    if observed.digest == desired.digest:
        return image
    fields = (*image, *_app_fields(desired, observed))
    if observed.digest is None or fields:
        return fields
    return ("options or secrets changed",)


def _image_fields(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> Iterator[str]:
    if observed.image != desired.image:
        yield f"image: {observed.image} → {desired.image}"
    image = next((image for image in host.images if image.reference == desired.image), None)
    if image is not None and image.id != observed.image_id:
        yield f"image behind {desired.image} changed"


def _app_fields(desired: AppContainer, observed: ObservedContainer) -> Iterator[str]:
    yield from _env_fields(desired.env, observed)
    yield from _label_fields(desired.labels, observed)
    if desired.cmd is not None and split_command(desired.cmd) != observed.command:
        yield f"cmd: {shlex.join(observed.command)} → {desired.cmd}"
    if (desired.health and desired.health.command) != observed.health_command and (desired.health or observed.digest):
        wanted = desired.health.command if desired.health else "none"
        yield f"health check: {observed.health_command or 'none'} → {wanted}"
    yield from _mount_fields(desired, observed)


def _env_fields(env: tuple[tuple[str, str], ...], observed: ObservedContainer) -> Iterator[str]:
    for name, value in env:
        if "${" in value:
            continue  # the host's shell expanded it; only the digest can tell
        if name not in observed.env:
            yield f"env {name}: (not set) → {value}"
        elif observed.env[name] is not None and observed.env[name] != value:
            yield f"env {name}: {observed.env[name]} → {value}"


def _label_fields(labels: tuple[tuple[str, str], ...], observed: ObservedContainer) -> Iterator[str]:
    for name, value in labels:
        if observed.labels.get(name) != value:
            yield f"label {name}: {observed.labels.get(name, '(not set)')} → {value}"


def _mount_fields(desired: AppContainer, observed: ObservedContainer) -> Iterator[str]:
    wanted = {volume.split(":")[1] for volume in desired.volumes if ":" in volume}
    if desired.assets:
        wanted.add(desired.assets.source)
    if desired.cord_target:
        wanted.add(desired.cord_target)
    for target in sorted(set(map(normpath, wanted)) - observed.mounts.keys()):  # Docker shows no trailing slash
        yield f"volume {target}: (not mounted) → mounted"


def proxy_differences(desired: Proxy, observed: ObservedContainer) -> tuple[str, ...]:
    """Why the running proxy is not what ``traefik:`` asks for; empty if it is."""
    fields = tuple(_proxy_fields(desired, observed))
    if observed.digest is None or fields:
        return fields
    return () if observed.digest == desired.digest else ("options or secrets changed",)


def _proxy_fields(desired: Proxy, observed: ObservedContainer) -> Iterator[str]:
    if observed.image != desired.image:
        yield f"image: {observed.image} → {desired.image}"
    yield from _env_fields(desired.env, observed)
    yield from _label_fields(desired.labels, observed)
    wanted = proxy_arguments(desired)
    for argument in wanted:
        if argument not in observed.command:
            yield f"args: (not set) → {argument}"
    for argument in observed.command:
        if argument.startswith("--") and argument not in wanted:
            yield f"args: {argument} → (not set)"


def proxy_arguments(proxy: Proxy) -> tuple[str, ...]:
    """Traefik's command line: ``--key=value`` for each argument, bare ``--key`` for ``true``."""
    return ("--providers.docker", *(argument for key, value in proxy.args for argument in _args(key, value)))


def _args(key: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(f"--{key}" if item is True else f"--{key}={_scalar(item)}" for item in values)


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return "false" if value is False else str(value)
