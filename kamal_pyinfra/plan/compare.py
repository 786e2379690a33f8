"""How a running container differs from the configuration, field by field."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kamal_pyinfra.plan.command_line import split_command
from kamal_pyinfra.plan.compare_env import env_differences, label_differences, secret_differences
from kamal_pyinfra.plan.compare_mounts import Wanted, mount_differences
from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.observed import ImageDefaults, ObservedContainer, ObservedHost
from kamal_pyinfra.plan.options import option_differences
from kamal_pyinfra.plan.state import AppContainer, Options, Proxy
from kamal_pyinfra.plan.units import from_seconds, to_seconds

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
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    fields = tuple(spec_differences(_app_spec(desired, host), observed, defaults))
    if not is_same:
        fields += (*command_differences(desired.cmd, observed, defaults), *_health(desired, observed, defaults))
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
    extra = [value for name in ("publish", "p") for value in _items(given.pop(name, ()))]
    ports: Options = (("publish", (*((publish,) if publish else ()), *extra)),) if publish or extra else ()
    return (*given.items(), *ports)


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def spec_differences(spec: Spec, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    """What every kind of container is compared by."""
    is_same = observed.digest == spec.digest
    yield from secret_differences(spec.secrets, spec.secret_checks, observed)
    if not is_same:
        yield from env_differences(spec.env, spec.secret_names, observed, defaults)
        yield from label_differences(spec.labels, observed, defaults)
        yield from mount_differences(spec.mounts, spec.options, observed)
        yield from _logging(spec.log_options, observed)
    yield from option_differences(spec.options, observed.options, is_same=is_same)


def command_differences(
    cmd: str | None, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Whether a container was started with another command."""
    wanted = split_command(cmd) if cmd is not None else (defaults.command if defaults else observed.command)
    if wanted != observed.command:
        after = cmd if cmd is not None else "the image's"
        yield Difference(field="cmd", before=shlex.join(observed.command) or NOT_SET, after=after)


def _health(desired: AppContainer, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    if desired.health is None:
        # Without knowing the image, a health check may be its own.
        surplus = observed.health_command if defaults and observed.health_command != defaults.health_command else None
        if surplus:
            yield Difference(
                field="health check", before=surplus, after=(defaults and defaults.health_command) or "none"
            )
        return
    if desired.health.command != observed.health_command:
        yield Difference(field="health check", before=observed.health_command or "none", after=desired.health.command)
    if observed.health_command and to_seconds(desired.health.interval) != observed.health_interval:
        before = from_seconds(observed.health_interval)
        yield Difference(field="health interval", before=before, after=desired.health.interval)


def _logging(wanted: Options, observed: ObservedContainer) -> Iterator[Difference]:
    if not observed.log_driver:
        return  # it was not looked at
    drivers = [str(value) for flag, value in wanted if flag == "--log-driver"]
    if drivers and drivers[0] != observed.log_driver:
        yield Difference(field="log driver", before=observed.log_driver, after=drivers[0])
    options = dict(str(value).split("=", 1) for flag, value in wanted if flag == "--log-opt")
    for name in sorted(options.keys() | observed.log_options.keys()):
        before, after = observed.log_options.get(name, NOT_SET), options.get(name, NOT_SET)
        if before != after:
            yield Difference(field=f"log option {name}", before=before, after=after)


def _arguments(desired: Proxy, observed: ObservedContainer) -> Iterator[Difference]:
    wanted = proxy_arguments(desired)
    for argument in wanted:
        if argument not in observed.command:
            yield Difference(field="args", before=NOT_SET, after=argument)
    for argument in observed.command:
        if argument.startswith("--") and argument not in wanted:
            yield Difference(field="args", before=argument, after=NOT_SET)


def proxy_arguments(proxy: Proxy) -> tuple[str, ...]:
    """Traefik's command line: ``--key=value`` for each argument, bare ``--key`` for ``true``."""
    return ("--providers.docker", *(argument for key, value in proxy.args for argument in _args(key, value)))


def _args(key: str, value: object) -> tuple[str, ...]:
    return tuple(f"--{key}" if item is True else f"--{key}={_scalar(item)}" for item in _items(value))


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return "false" if value is False else str(value)
