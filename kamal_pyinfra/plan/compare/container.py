"""All differences of a container, and whether somebody made them by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from posixpath import normpath

from kamal_pyinfra.config.env import is_for_host
from kamal_pyinfra.plan import docker_values
from kamal_pyinfra.plan.compare import fields
from kamal_pyinfra.plan.compare.fields import NOT_SET, OPTIONS, RESTART, Difference
from kamal_pyinfra.plan.desired import WORKING_FOLDER
from kamal_pyinfra.plan.proxy.router_names import usual_labels
from kamal_pyinfra.plan.proxy.traefik import PROMPT_ROUTES, proxy_arguments
from kamal_pyinfra.plan.state import desired as specs
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost

OTHER_OPTIONS = Difference(field="options", after="changed")
"""What our digest knows to differ although ``docker inspect`` shows no field of it."""
OWN_VARIABLES = ("KAMAL_CONTAINER_NAME", "KAMAL_VERSION")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""What Docker gives every container by itself if its settings on the host name a proxy."""
MOUNTING = ("volume", "v", "mount", "tmpfs", "volumes-from")
"""Options that mount something too; what they mount is compared by the digest."""
UPLOAD_MODE = "755"
"""Kamal 1.9."""
MUTABLE = {RESTART, *(option.names[0] for option in OPTIONS if option.is_mutable)}


def container_differences(
    desired: specs.ContainerSpec, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """Why ``observed`` is not what ``desired`` asks for; empty if it is."""
    image: list[Difference] = []
    if observed.image != desired.image:
        image.append(Difference(field="image", before=observed.image, after=desired.image))
    if isinstance(desired, specs.AppContainer) and host.image_id(desired.image) not in ("", observed.image_id):
        image.append(Difference(field=f"image behind {desired.image}", after="changed"))
    others = config_differences(desired, observed, host)
    if image and others == (OTHER_OPTIONS,) and "image" in desired.settings:
        return tuple(image)  # the digest is another one for that alone
    return (*image, *others)


def config_differences(
    desired: specs.ContainerSpec, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """What differs besides the image.

    A container with our digest of the same configuration can only have been changed by ``docker update``. One
    with another digest, or without (it was made by Kamal), is compared by all that ``docker inspect`` shows.
    """
    if isinstance(desired, specs.AppContainer):
        observed = replace(observed, labels=usual_labels(observed.labels))
    differences = tuple(_Fields(desired, observed, host).differences())
    is_changed = observed.digest not in (None, desired.digest)
    return (OTHER_OPTIONS,) if is_changed and not differences else differences


class _Fields:
    """The fields of one container beside those of the one that is wanted."""

    def __init__(self, desired: specs.ContainerSpec, observed: ObservedContainer, host: ObservedHost) -> None:
        self.desired, self.observed, self.host = desired, observed, host
        self.defaults = host.image_defaults.get(observed.image_id)  # ``None`` where they are not known
        self.options = desired.options
        if desired.publish:
            ports = (desired.publish, *docker_values.as_items(dict(desired.options).get("publish", ())))
            others = (option for option in desired.options if option[0] != "publish")
            self.options = (*others, ("publish", ports))

    def differences(self) -> Iterator[Difference]:
        """All of them; with our digest of the same configuration only what can have changed since."""
        desired, is_same = self.desired, self.observed.digest == self.desired.digest
        yield from self._secrets()
        # The digest does not know of secrets: one that is watched no more is found by its name.
        yield from self._surplus_env()
        if not is_same:
            yield from self._env()
            yield from fields.label_differences(desired.labels, self.options, self.observed, self.defaults)
            yield from self._mounts()
            yield from self._logging()
        yield from fields.option_differences(self.options, self.observed.options, is_same=is_same)
        if not is_same:
            yield from self._arguments(desired) if isinstance(desired, specs.Proxy) else self._command()
        if not is_same and isinstance(desired, specs.AppContainer):
            yield from self._health(desired)

    def _secrets(self) -> Iterator[Difference]:
        """Secrets that the container does not have as they are now, by name; none if they are kept as they are."""
        if self.desired.secrets is None or self.observed.secrets in (None, self.desired.secrets):
            return
        checks, existing = self.desired.secret_checks, self.observed.secret_checks
        of_image = self.defaults.env if self.defaults else frozenset()
        differences = tuple(fields.changed_secrets(checks, existing, of_image))
        yield from differences
        # With a variable of the image among them the digest of all says nothing; then the checks have to do.
        if not differences and existing.keys() <= checks.keys():
            yield Difference(field="a secret", after="changed")

    def _surplus_env(self) -> Iterator[Difference]:
        """Variables that are there although nothing asks for them, also those that were secret once."""
        others = docker_values.names_in_options(self.options, "env")
        if self.defaults is None or others is None:
            return
        wanted = {*dict(self.desired.env), *self.desired.secret_names, *self.observed.secret_checks, *others}
        for name in sorted(self.observed.env.keys() - wanted.union(OWN_VARIABLES) - self.defaults.env):
            # Whether its value may be shown is no longer known: it may have been a secret.
            if name.upper() not in PROXY_VARIABLES:
                yield Difference(field=f"env {name}", after="removed")

    def _env(self) -> Iterator[Difference]:
        """Clear variables that are missing or have another value."""
        observed = self.observed
        for name, value in self.desired.env:
            # What the host's shell expanded only the digest can tell; what is secret elsewhere is compared as such.
            if is_for_host(value) or name in observed.secret_checks:
                continue
            if name not in observed.env:
                yield Difference(field=f"env {name}", before=NOT_SET, after=value)
            elif (existing := observed.env[name]) is None:
                # What the container does not call clear may have been a secret: only that it differs is shown.
                if observed.clear_checks.get(name, specs.clear_check(name, value)) != specs.clear_check(name, value):
                    yield Difference(field=f"env {name}", after="changed")
            elif existing != value:
                yield Difference(field=f"env {name}", before=existing, after=value)

    def _mounts(self) -> Iterator[Difference]:
        """Mounts that are missing, come from elsewhere, or are there although nothing asks for them."""
        wanted, volumes = self._wanted_mounts(), self.observed.volumes
        for target, source in sorted(wanted.items()):
            if target not in self.observed.mounts:
                yield Difference(field=f"volume {target}", before="(not mounted)", after=source or "mounted")
            elif source and source != volumes.get(target, source) and not source.startswith(":"):
                yield Difference(field=f"volume {target}", before=volumes[target], after=source)
        if docker_values.is_in_options(self.options, *MOUNTING):
            return
        for target in sorted(volumes.keys() - wanted.keys()):
            if volumes[target]:
                yield Difference(field=f"volume {target}", before=volumes[target], after=NOT_SET)

    def _wanted_mounts(self) -> dict[str, str | None]:
        """Target → ``SOURCE[:ro]``, empty if it may be any; ``None`` where each container has a source of its own."""
        found: dict[str, str | None] = {}
        for volume in self.desired.volumes:
            at_home = volume.startswith(WORKING_FOLDER)
            below = f"{self.host.home}/{volume.removeprefix(WORKING_FOLDER)}"
            found |= dict([_mount(below if at_home else volume)])
        if isinstance(self.desired, specs.AppContainer):
            own = (self.desired.assets.source if self.desired.assets else None, self.desired.cord_target)
            found |= {normpath(target): None for target in own if target}
        return found

    def _logging(self) -> Iterator[Difference]:
        """Another driver, and options of it that are missing, have another value, or are there unasked.

        Where ``docker run`` options set the logging too, only the digest can tell.
        """
        wanted, observed = self.desired.log_options, self.observed
        if not observed.log_driver or docker_values.is_in_options(self.options, "log-driver", "log-opt"):
            return
        drivers = [str(value) for flag, value in wanted if flag == "--log-driver"]
        if drivers and drivers[0] != observed.log_driver:
            yield Difference(field="log driver", before=observed.log_driver, after=drivers[0])
        given = dict(str(value).split("=", 1) for flag, value in wanted if flag == "--log-opt")
        for name in sorted(given.keys() | observed.log_options.keys()):
            before, after = observed.log_options.get(name, NOT_SET), given.get(name, NOT_SET)
            if before != after:
                yield Difference(field=f"log option {name}", before=before, after=after)

    def _arguments(self, proxy: specs.Proxy) -> Iterator[Difference]:
        wanted, there = proxy_arguments(proxy), self.observed.command
        for argument in wanted:
            if argument not in there:
                yield Difference(field="args", before=NOT_SET, after=argument)
        for argument in there:
            if argument.startswith("--") and argument not in {*wanted, PROMPT_ROUTES}:
                yield Difference(field="args", before=argument, after=NOT_SET)

    def _command(self) -> Iterator[Difference]:
        """Whether a container was started with another command."""
        there, cmd = self.observed.command, self.desired.cmd
        wanted, after = self.defaults.command if self.defaults else there, "the image's"
        if cmd is not None:
            wanted, after = docker_values.split_command(cmd), cmd
        elif docker_values.is_in_options(self.desired.options, "entrypoint"):
            return  # the image's does not count then
        if wanted != there:
            yield Difference(field="cmd", before=shlex.join(there) or NOT_SET, after=after)

    def _health(self, desired: specs.AppContainer) -> Iterator[Difference]:
        health, command, defaults = desired.health, self.observed.health_command, self.defaults
        if health is None:
            # Without knowing the image, a health check may be its own.
            is_surplus = command and defaults and command != defaults.health_command
            if is_surplus and not docker_values.is_in_options(desired.options, "health-cmd", "no-healthcheck"):
                after = (defaults and defaults.health_command) or "none"
                yield Difference(field="health check", before=command or "none", after=after)
            return
        if command not in {health.command, health.retrying_command}:
            yield Difference(field="health check", before=command or "none", after=health.command)
        if command and docker_values.to_seconds(health.interval) != self.observed.health_interval:
            before = docker_values.from_seconds(self.observed.health_interval)
            yield Difference(field="health interval", before=before, after=health.interval)


def _mount(volume: str) -> tuple[str, str]:
    """``SOURCE:TARGET[:OPTIONS]``, or ``TARGET`` alone for an anonymous volume."""
    source, _, rest = volume.partition(":") if ":" in volume else ("", "", volume)
    target, _, mode = rest.partition(":")
    source = "" if source.startswith(".") else source  # relative to where docker ran
    return normpath(target), f"{source}:ro" if "ro" in mode.split(",") else source


def upload_differences(uploads: Iterable[specs.Upload], host: ObservedHost) -> Iterator[Difference]:
    """Files that are missing on the host or have another content there."""
    for upload in uploads:
        existing = host.uploads.get(upload.path)
        if existing is None:
            yield Difference(field=f"file {upload.path}", after="is missing")
        elif upload.digest and existing.digest != upload.digest:
            yield Difference(field=f"file {upload.path}", after="changed")
        elif existing.mode != UPLOAD_MODE:
            yield Difference(field=f"mode of {upload.path}", before=existing.mode, after=UPLOAD_MODE)


def files_to_upload(desired: specs.AccessoryContainer, host: ObservedHost) -> tuple[specs.Upload, ...]:
    """The files that are not on the host as they are on this machine."""
    return tuple(each for each in desired.uploads if any(upload_differences((each,), host)))


def was_in_service(desired: specs.DesiredHost, observed: ObservedHost) -> bool:
    """Whether the desired version is the one that was last put into service on the host."""
    if observed.record is not None:
        return observed.record.version == desired.run.version
    image_id = observed.image_id(desired.image)
    return bool(image_id) and image_id == observed.image_id(desired.run.latest_image)


def was_started(container: specs.AppContainer, observed: ObservedHost) -> bool:
    """Whether the last run left this very container."""
    return observed.record is not None and observed.record.containers.get(container.name) == container.digest


def is_by_hand(desired: specs.ContainerSpec, observed: ObservedContainer, differences: tuple[Difference, ...]) -> bool:
    """Whether a container was created as configured, so that ``docker update`` must have changed it."""
    return observed.digest == desired.digest and all(difference.field in MUTABLE for difference in differences)
