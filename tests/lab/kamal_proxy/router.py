"""The services of a proxy: which of them gets a request, the verbs that change them, and the state file."""

from __future__ import annotations

import json
import random
import ssl
from pathlib import Path
from typing import Any

from .exchange import Request
from .log import log
from .options import ROOT_PATH, HealthCheck, ServiceOptions, TargetOptions
from .pool import Pool, UnhealthyError
from .rollout import Rollout
from .service import RefusedError, Service, pool
from .targets import InvalidTargetError

REFUSALS = (RefusedError, UnhealthyError, InvalidTargetError)
GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class Router:
    """All services of one proxy."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.services: dict[str, Service] = {}
        self.bindings: dict[str, list[tuple[str, Service]]] = {}
        self.default_tls_host = ""

    # The state file

    def restore(self) -> None:
        """Read the state file; when one service cannot be had, none is."""
        if not self.state.exists():
            log("INFO", "No previous state to restore", path=str(self.state))
            return
        services: list[Service] = []
        try:
            text = self.state.read_text()
            if not text.strip():
                raise RefusedError("EOF")
            services += [Service.read(found) for found in json.loads(text)]
        except (*REFUSALS, ValueError, TypeError, AttributeError, OSError) as error:
            log("ERROR", "Failed to decode saved state", path=str(self.state), error=str(error))
            return
        for service in services:
            self._set(service)
        log("INFO", "Restored saved state", path=str(self.state))

    def save(self) -> None:
        """Write the state file, over the old one and in no order."""
        services = [service.as_file() for service in self.services.values()]
        random.shuffle(services)
        text = json.dumps(services, ensure_ascii=False, separators=(",", ":"))
        for character, escaped in GO_ESCAPES.items():
            text = text.replace(character, escaped)
        with self.state.open("w") as file:
            file.write(text + "\n")
        log("DEBUG", "Saved state", path=str(self.state))

    # Which service

    def find(self, request: Request) -> Service | None:
        """Return the service of a request, and note in it the prefix to take off."""
        service, prefix = self._find(request.host, request.path)
        if service is not None and service.options.strip_prefix and prefix != ROOT_PATH:
            request.prefix = prefix
        return service

    def _find(self, host: str, path: str) -> tuple[Service | None, str]:
        for prefix, service in self._bindings(host):
            if _slashed(path).startswith(_slashed(prefix)):
                return service, prefix
        return None, ""

    def _bindings(self, host: str) -> list[tuple[str, Service]]:
        wildcard = f"*{host[host.index('.') :]}" if host.find(".") > 0 else host
        return self.bindings.get(host) or self.bindings.get(wildcard) or self.bindings.get("", [])

    def choose_certificate(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        """Give a handshake the certificate of the service it names; refuse it when there is none."""
        service, _prefix = self._find(name or self.default_tls_host, ROOT_PATH)
        if service is None or service.certificate is None:
            log("DEBUG", "ACME: Unable to get certificate", host=name)
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        connection.context = service.certificate
        return None

    # The verbs

    async def deploy(self, args: dict[str, Any]) -> None:
        """Switch a service to other targets once they are all healthy."""
        name, options = args["service"], ServiceOptions(**args["options"])
        target = dict(args["target_options"])
        target_options = TargetOptions(HealthCheck(**target.pop("health_check_config")), **target)
        about = {"service": name, "targets": args["targets"], "hosts": options.hosts, "tls": options.tls_enabled}
        log("INFO", "Deploying", **about)
        new = pool(args["targets"], args["readers"], options, target_options)
        await self._ready(new, args)
        try:
            self._check_free(name, options)
            service = self.services.get(name)
            if service is None:
                service = Service(name, options, target_options)
            else:
                service.update(options, target_options)
            old, service.active = service.active, new
            self._set(service)
        except RefusedError:
            new.dispose()
            raise
        finally:
            self.save()
        await _retire(old, args["drain_timeout"])
        log("INFO", "Deployed", **about)

    async def rollout_deploy(self, args: dict[str, Any]) -> None:
        """Give a service targets for a rollout, once they are all healthy."""
        service = self._named(args)
        log("INFO", "Deploying for rollout", service=service.name, targets=args["targets"])
        new = service.pool(args["targets"], args["readers"])
        await self._ready(new, args)
        try:
            self._check_free(service.name, service.options)
            old, service.rollout = service.rollout, new
            self._set(service)
        finally:
            self.save()
        await _retire(old, args["drain_timeout"])
        log("INFO", "Deployed for rollout", service=service.name, targets=args["targets"])

    async def rollout_set(self, args: dict[str, Any]) -> None:
        """Choose which requests go to the rollout."""
        try:
            service = self._named(args)
            if service.rollout is None:
                raise RefusedError("rollout target not set")
            service.split = Rollout(args["percentage"], args["allowlist"] or None)
        finally:
            self.save()

    async def rollout_stop(self, args: dict[str, Any]) -> None:
        """Forget the choice; the rollout's targets stay."""
        try:
            self._named(args).split = None
        finally:
            self.save()

    async def remove(self, args: dict[str, Any]) -> None:
        """Forget a service; its requests under way go on."""
        try:
            service = self._named(args)
            for old in service.pools():
                old.dispose()
            del self.services[service.name]
            self._index()
        finally:
            self.save()

    async def pause(self, args: dict[str, Any]) -> None:
        """Hold new requests, and return when those under way are done."""
        try:
            service = self._named(args)
            service.pause.pause(args["pause_timeout"])
            await self._drained(service, args)
        finally:
            self.save()

    async def stop(self, args: dict[str, Any]) -> None:
        """Turn new requests away, and return when those under way are done."""
        try:
            service = self._named(args)
            service.pause.stop(args["message"])
            await self._drained(service, args)
        finally:
            self.save()

    async def resume(self, args: dict[str, Any]) -> None:
        """Answer again."""
        try:
            self._named(args).pause.resume()
        finally:
            self.save()

    def rows(self) -> list[list[str]]:
        """Return what `list` shows."""
        return [service.row() for _, service in sorted(self.services.items()) if service.active is not None]

    # What they share

    def _named(self, args: dict[str, Any]) -> Service:
        service = self.services.get(args["service"])
        if service is None:
            raise RefusedError("service not found")
        return service

    @staticmethod
    async def _ready(new: Pool, args: dict[str, Any]) -> None:
        if args.get("force"):
            return
        try:
            await new.wait_until_healthy(args["deploy_timeout"])
        except UnhealthyError:
            new.dispose()
            raise

    @staticmethod
    async def _drained(service: Service, args: dict[str, Any]) -> None:
        for old in service.pools():
            await old.drain(args["drain_timeout"])

    def _check_free(self, name: str, options: ServiceOptions) -> None:
        taken = {(host, prefix) for host in options.hosts for prefix in options.path_prefixes}
        for host, bindings in self.bindings.items():
            for prefix, service in bindings:
                if (host, prefix) in taken and service.name != name:
                    log("ERROR", "Host settings conflict with another service", service=service.name)
                    raise RefusedError("host settings conflict with another service")

    def _set(self, service: Service) -> None:
        self.services[service.name] = service
        self._index()

    def _index(self) -> None:
        """Sort out who has which host and path; what is not a host's root follows its root in matters of TLS."""
        self.bindings = {}
        for service in self.services.values():
            for host in service.options.hosts:
                for prefix in service.options.path_prefixes:
                    self.bindings.setdefault(host, []).append((prefix, service))
        for bindings in self.bindings.values():
            bindings.sort(key=lambda binding: -len(binding[0]))
        for service in self.services.values():
            if not service.options.serves_root:
                root, _ = self._find(service.options.hosts[0], ROOT_PATH)
                service.options.tls_enabled = root.options.tls_enabled if root else False
                service.options.tls_redirect = root.options.tls_redirect if root else True
        secure = [service for service in self.services.values() if service.options.tls_enabled]
        self.default_tls_host = secure[0].options.hosts[0] if secure else self.default_tls_host


async def _retire(old: Pool | None, timeout: int) -> None:
    if old is not None:
        old.dispose()
        await old.drain(timeout)


def _slashed(path: str) -> str:
    return path if path.endswith("/") else path + "/"
