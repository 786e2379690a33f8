"""How a running container differs from the configuration, field by field."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kamal_pyinfra.plan.command_line import split_command
from kamal_pyinfra.plan.compare_env import (
    env_differences,
    label_differences,
    secret_differences,
    surplus_env_differences,
)
from kamal_pyinfra.plan.compare_logging import logging_differences
from kamal_pyinfra.plan.compare_mounts import Wanted, mount_differences
from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.given_options import are_given
from kamal_pyinfra.plan.observed import ImageDefaults, ObservedContainer, ObservedHost
from kamal_pyinfra.plan.options import option_differences
from kamal_pyinfra.plan.router_names import usual_labels
from kamal_pyinfra.plan.state import AppContainer, Options, Proxy
from kamal_pyinfra.plan.units import from_seconds, to_seconds

PROMPT_ROUTES = "--providers.providersThrottleDuration=100ms"
OTHER_OPTIONS = Difference(field="options", after="changed")
"""What our digest knows to differ although ``docker inspect`` shows no field of it."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a container of either kind is compared by."""

    env: tuple[tuple[str, str], ...]
    secret_names: tuple[str, ...]
    secrets: str | None
    secret_checks: Mapping[str, int]
    labels: tuple[tuple[str, str], ...]
    options: Options
    log_options: Options
    mounts: tuple[Wanted, ...]
    digest: str


def app_differences(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> tuple[Difference, ...]:
    """Why ``observed`` is not what ``desired`` asks for; empty if it is."""
    return (*_image(desired, observed, host), *config_differences(desired, observed, host))


def config_differences(
    desired: AppContainer, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """What differs besides the version.

    A container with our digest of the same configuration can only have been changed by ``docker update``. One
    with another digest, or without (it was made by Kamal), is compared by all that ``docker inspect`` shows.
    """
    observed = replace(observed, labels=usual_labels(observed.labels))
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    fields = tuple(spec_differences(_app_spec(desired, host), observed, defaults))
    if not is_same:
        command = command_differences(desired.cmd, desired.options, observed, defaults)
        fields += (*command, *_health(desired, observed, defaults))
    return fields if fields or is_same or observed.digest is None else (OTHER_OPTIONS,)


def proxy_differences(desired: Proxy, observed: ObservedContainer, host: ObservedHost) -> tuple[Difference, ...]:
    """Why the running proxy is not what ``traefik:`` asks for; empty if it is."""
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    fields = tuple(spec_differences(_proxy_spec(desired), observed, defaults))
    if observed.image != desired.image:
        fields = (Difference(field="image", before=observed.image, after=desired.image), *fields)
    if not is_same:
        fields += tuple(_arguments(desired, observed))
    return fields if fields or is_same or observed.digest is None else (OTHER_OPTIONS,)


def _image(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> Iterator[Difference]:
    if observed.image != desired.image:
        yield Difference(field="image", before=observed.image, after=desired.image)
    image = next((image for image in host.images if image.reference == desired.image), None)
    if image is not None and image.id != observed.image_id:
        yield Difference(field=f"image behind {desired.image}", after="changed")


def _app_spec(desired: AppContainer, host: ObservedHost) -> Spec:
    return Spec(
        env=desired.env,
        secret_names=desired.secret_names,
        secrets=desired.secrets,
        secret_checks=desired.secret_checks,
        labels=desired.labels,
        options=desired.options,
        log_options=desired.log_options,
        mounts=(
            *(Wanted.parse(volume) for volume in desired.volumes),
            *(
                [Wanted(target=desired.assets.source, source=host.absolute(desired.assets.volume), is_ours=True)]
                if desired.assets
                else []
            ),
            *([Wanted(target=desired.cord_target, source="", is_ours=True)] if desired.cord_target else []),
        ),
        digest=desired.digest,
    )


def _proxy_spec(desired: Proxy) -> Spec:
    return Spec(
        env=desired.env,
        secret_names=desired.secret_names,
        secrets=desired.secrets,
        secret_checks=desired.secret_checks,
        labels=desired.labels,
        options=published(desired.options, desired.publish),
        log_options=desired.log_options,
        mounts=(Wanted(target="/var/run/docker.sock", source="/var/run/docker.sock"),),
        digest=desired.digest,
    )


def published(options: Options, publish: str | None) -> Options:
    """Options of ``docker run`` with the published port among those that the options publish."""
    given = dict(options)
    extra = _items(given.pop("publish", ()))
    ports: Options = (("publish", (*((publish,) if publish else ()), *extra)),) if publish or extra else ()
    return (*given.items(), *ports)


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def spec_differences(spec: Spec, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    """What every kind of container is compared by."""
    is_same = observed.digest == spec.digest
    names = (*(name for name, _ in spec.env), *spec.secret_names)
    yield from secret_differences(spec.secrets, spec.secret_checks, observed, defaults)
    # The digest does not know of secrets: one that is watched no more is told by its name.
    yield from surplus_env_differences(names, spec.options, observed, defaults)
    if not is_same:
        yield from env_differences(spec.env, observed)
        yield from label_differences(spec.labels, spec.options, observed, defaults)
        yield from mount_differences(spec.mounts, spec.options, observed)
        yield from logging_differences(spec.log_options, spec.options, observed)
    yield from option_differences(spec.options, observed.options, is_same=is_same)


def command_differences(
    cmd: str | None, options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Whether a container was started with another command."""
    if cmd is None and are_given(options, "entrypoint"):
        return  # the image's does not count then
    wanted = split_command(cmd) if cmd is not None else (defaults.command if defaults else observed.command)
    if wanted != observed.command:
        after = cmd if cmd is not None else "the image's"
        yield Difference(field="cmd", before=shlex.join(observed.command) or NOT_SET, after=after)


def _health(desired: AppContainer, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    if desired.health is None:
        if are_given(desired.options, "health-cmd", "no-healthcheck"):
            return
        # Without knowing the image, a health check may be its own.
        surplus = observed.health_command if defaults and observed.health_command != defaults.health_command else None
        if surplus:
            yield Difference(
                field="health check", before=surplus, after=(defaults and defaults.health_command) or "none"
            )
        return
    if observed.health_command not in {desired.health.command, desired.health.prompt_command}:
        yield Difference(field="health check", before=observed.health_command or "none", after=desired.health.command)
    if observed.health_command and to_seconds(desired.health.interval) != observed.health_interval:
        before = from_seconds(observed.health_interval)
        yield Difference(field="health interval", before=before, after=desired.health.interval)


def _arguments(desired: Proxy, observed: ObservedContainer) -> Iterator[Difference]:
    wanted = proxy_arguments(desired)
    for argument in wanted:
        if argument not in observed.command:
            yield Difference(field="args", before=NOT_SET, after=argument)
    for argument in observed.command:
        if argument.startswith("--") and argument not in {*wanted, PROMPT_ROUTES}:
            yield Difference(field="args", before=argument, after=NOT_SET)


def proxy_arguments(proxy: Proxy) -> tuple[str, ...]:
    """Traefik's command line: ``--key=value`` for each argument, bare ``--key`` for ``true``."""
    return ("--providers.docker", *(argument for key, value in proxy.args for argument in _args(key, value)))


def prompt_arguments(proxy: Proxy) -> tuple[str, ...]:
    """What lets Traefik apply a change of routes at once; its own 2 s between two changes are a deploy's longest wait.

    A proxy without it, as Kamal runs it, is not replaced for that.
    """
    key = PROMPT_ROUTES.partition("=")[0].removeprefix("--").lower()
    return () if key in {given.lower() for given, _ in proxy.args} else (PROMPT_ROUTES,)


def _args(key: str, value: object) -> tuple[str, ...]:
    return tuple(f"--{key}" if item is True else f"--{key}={_scalar(item)}" for item in _items(value))


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return "false" if value is False else str(value)
