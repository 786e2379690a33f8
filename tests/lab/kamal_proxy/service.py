"""A service: its options, its targets, its state, and how it answers a request."""

from __future__ import annotations

import ssl
from html import escape
from typing import Any

from . import pages
from .exchange import Answer, ErrorAnswer, Request
from .log import log
from .options import ServiceOptions, TargetOptions, as_file
from .pause import NAMES, RUNNING, Pause
from .pool import Pool
from .rollout import Rollout
from .wire import Headers, canonical

ACME_CHALLENGE = "/.well-known/acme-challenge/"


class RefusedError(Exception):
    """The service cannot be as it was asked to be."""


class Service:
    """One service, as the state file has it."""

    def __init__(self, name: str, options: ServiceOptions, target_options: TargetOptions) -> None:
        self.name = name
        self.pause = Pause()
        self.split: Rollout | None = None
        self.active: Pool | None = None
        self.rollout: Pool | None = None
        self.update(options, target_options)

    def update(self, options: ServiceOptions, target_options: TargetOptions) -> None:
        """Take other options; when certificate or pages cannot be read, everything stays as it was."""
        certificate = _certificate(options)
        own_pages: dict[str, str] = {}
        if options.error_page_path:
            try:
                own_pages = pages.load(options.error_page_path)
            except (OSError, pages.PagesError):
                log("ERROR", "Unable to parse custom error pages", service=self.name, path=options.error_page_path)
                raise RefusedError("unable to load error pages") from None
        self.options, self.target_options = options, target_options
        self.certificate, self.pages = certificate, own_pages
        for headers in (target_options.log_request_headers, target_options.log_response_headers):
            if headers:
                headers[:] = [canonical(header) for header in headers]

    @classmethod
    def read(cls, found: dict[str, Any]) -> Service:
        """Build a service from the state file; its targets count as healthy."""
        options = ServiceOptions.read(found.get("options") or {})
        service = cls(found.get("name", ""), options, TargetOptions.read(found.get("target_options") or {}))
        service.pause = Pause.read(found.get("pause_controller") or {})
        service.split = Rollout.read(found.get("rollout_controller"))
        service.active = service.pool(found.get("active_targets") or [], found.get("active_readers") or [])
        service.active.mark_all_healthy()
        if targets := found.get("rollout_targets"):
            service.rollout = service.pool(targets, found.get("rollout_readers") or [])
            service.rollout.mark_all_healthy()
        return service

    def as_file(self) -> dict[str, Any]:
        """Return the service as the state file has it."""
        return {
            "name": self.name,
            "options": as_file(self.options),
            "target_options": as_file(self.target_options),
            "active_targets": self.active.names(readers=False) if self.active else None,
            "active_readers": self.active.names(readers=True) if self.active else None,
            "rollout_targets": self.rollout.names(readers=False) if self.rollout else None,
            "rollout_readers": self.rollout.names(readers=True) if self.rollout else None,
            "pause_controller": self.pause.as_file(),
            "rollout_controller": self.split.as_file() if self.split else None,
        }

    def pool(self, targets: list[str], readers: list[str]) -> Pool:
        """Make a pool with this service's options."""
        return pool(targets, readers, self.options, self.target_options)

    def pools(self) -> list[Pool]:
        return [pool for pool in (self.active, self.rollout) if pool is not None]

    def row(self) -> list[str]:
        """Return the service's line of `list`."""
        targets = [target.address for target in self.active.targets] if self.active else []
        hosts = ",".join(self.options.hosts) or "*"
        tls = "yes" if self.options.tls_enabled else "no"
        return [self.name, hosts, ",".join(self.options.path_prefixes), ",".join(targets), NAMES[self.pause.state], tls]

    async def answer(self, request: Request, answer: Answer) -> str:
        """Answer a request; return the target that did."""
        if not self.options.tls_enabled and request.is_tls:
            raise ErrorAnswer(503)
        if self._is_managed and not request.is_tls and request.path.startswith(ACME_CHALLENGE):
            await answer.whole(404, "acme/autocert: certificate cache miss\n")
            return ""
        if place := self._elsewhere(request):
            answer.keeps_alive = False
            body = f'<a href="{escape(place)}">Moved Permanently</a>.\n\n' if request.is_reading else ""
            headers = Headers([("Location", place), ("Content-Type", "text/html; charset=utf-8")])
            await answer.start(301, headers, len(body.encode()))
            await answer.write(body.encode())
            return ""
        is_check = request.is_reading and request.path == self.target_options.health_check_config.path
        if self.pause.state != RUNNING and is_check:
            await answer.start(200, Headers(), 0)
            return ""
        await self.pause.wait()
        chosen = self.rollout if self.rollout and self.split and self.split.takes(request) else self.active
        if chosen is None:
            raise ErrorAnswer(503)
        return (await chosen.send(request, answer)).address

    @property
    def _is_managed(self) -> bool:
        return self.options.tls_enabled and self.certificate is None

    def _elsewhere(self, request: Request) -> str:
        """Return the address under which this should have been asked, or nothing."""
        scheme = "https" if request.is_tls else "http"
        wanted = "https" if self.options.tls_enabled and self.options.tls_redirect else scheme
        host = self.options.canonical_host or request.host
        return f"{wanted}://{host}{request.target}" if (wanted, host) != (scheme, request.host) else ""


def pool(targets: list[str], readers: list[str], options: ServiceOptions, target_options: TargetOptions) -> Pool:
    """Make a pool, and begin to ask its targets for their health."""
    sockets_read = options.read_targets_accept_websockets
    return Pool(targets, readers, target_options, options.writer_affinity_timeout, sockets_read=sockets_read)


def _certificate(options: ServiceOptions) -> ssl.SSLContext | None:
    """Load the service's own certificate; without one an authority would be asked, which the stand-in never does."""
    if not options.tls_enabled:
        return None
    if options.tls_certificate_path and options.tls_private_key_path:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(options.tls_certificate_path, options.tls_private_key_path)
        except (OSError, ValueError) as error:
            log("ERROR", "Error loading TLS certificate", error=str(error))
            raise RefusedError("unable to load certificate") from None
        return context
    if any("*" in host for host in options.hosts):
        raise RefusedError("automatic TLS does not support wildcards")
    return None
