"""What a service is deployed with, in the form of the state file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .durations import SECOND

ROOT_PATH = "/"


@dataclass
class HealthCheck:
    """How targets are asked whether they are well."""

    path: str = "/up"
    port: int = 0
    interval: int = SECOND
    timeout: int = 5 * SECOND
    host: str = ""


@dataclass
class TargetOptions:
    """How requests go to targets; the order of the fields is the file's."""

    health_check_config: HealthCheck
    response_timeout: int = 30 * SECOND
    buffer_requests: bool = False
    buffer_responses: bool = False
    max_memory_buffer_size: int = 1 << 20
    max_request_body_size: int = 0
    max_response_body_size: int = 0
    log_request_headers: list[str] | None = None
    log_response_headers: list[str] | None = None
    forward_headers: bool = False
    scope_cookie_paths: bool = False

    @classmethod
    def read(cls, found: dict[str, Any]) -> TargetOptions:
        """Read them from the file; what it does not name is zero."""
        health = _zeroed(HealthCheck, found.get("health_check_config") or {})
        return cls(HealthCheck(**health), **_zeroed(cls, found, "health_check_config"))


@dataclass
class ServiceOptions:
    """Which requests a service gets, and how it answers where no target does."""

    hosts: list[str]
    path_prefixes: list[str]
    tls_enabled: bool = False
    tls_certificate_path: str = ""
    tls_private_key_path: str = ""
    tls_redirect: bool = True
    canonical_host: str = ""
    acme_directory: str = ""
    acme_cache_path: str = ""
    error_page_path: str = ""
    strip_prefix: bool = True
    writer_affinity_timeout: int = SECOND
    read_targets_accept_websockets: bool = False

    def __post_init__(self) -> None:
        self.hosts = self.hosts or [""]
        prefixes = ["/" + prefix.strip("/") for prefix in self.path_prefixes]
        self.path_prefixes = prefixes or [ROOT_PATH]

    @property
    def serves_root(self) -> bool:
        return ROOT_PATH in self.path_prefixes

    @classmethod
    def read(cls, found: dict[str, Any]) -> ServiceOptions:
        """Read them from the file; what it does not name is zero."""
        lists: list[Any] = [found.get("hosts") or [], found.get("path_prefixes") or []]
        return cls(*lists, **_zeroed(cls, found, "hosts", "path_prefixes"))


def as_file(options: ServiceOptions | TargetOptions) -> dict[str, Any]:
    """Return them as the file has them."""
    return asdict(options)


def _zeroed(kind: type, found: dict[str, Any], *without: str) -> dict[str, Any]:
    zeros: dict[str, Any] = {"int": 0, "bool": False, "str": "", "list[str] | None": None}
    names = [(field.name, str(field.type)) for field in fields(kind) if field.name not in without]
    return {name: found.get(name, zeros[text]) for name, text in names}
