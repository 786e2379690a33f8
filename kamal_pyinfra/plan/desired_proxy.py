"""The Traefik container that a host with a routed role should run, as Kamal 1.9 would run it."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.plan.desired_app import log_options
from kamal_pyinfra.plan.digest import digest_values
from kamal_pyinfra.plan.secret_checks import checks_of, digest_lines, watched_lines
from kamal_pyinfra.plan.state import EnvFile, Options, Proxy

CATCH_ALL_LABELS = {
    "traefik.http.routers.catchall.entryPoints": "http",
    "traefik.http.routers.catchall.rule": "PathPrefix(`/`)",
    "traefik.http.routers.catchall.service": "unavailable",
    "traefik.http.routers.catchall.priority": "1",
    "traefik.http.services.unavailable.loadbalancer.server.port": "0",
}
"""Without them Traefik answers 404 instead of 502 while no app container is healthy (Kamal 1.9)."""

DEFAULT_ARGS: Options = (("log.level", "DEBUG"),)


def proxy_container(config: Config, env_file: EnvFile) -> Proxy:
    """The proxy that ``traefik:`` asks for."""
    traefik, env = config.traefik, config.proxy_env
    lines = None if env_file.content is None else watched_lines(config, env)
    proxy = Proxy(
        name=naming.PROXY_CONTAINER,
        image=traefik.image,
        publish=f"{traefik.host_port}:80" if traefik.publish else None,
        env_file=env_file.path,
        env=tuple(env.clear.items()),
        labels=tuple((CATCH_ALL_LABELS | dict(traefik.labels)).items()),
        options=tuple(traefik.options.items()),
        log_options=log_options(config.logging),
        args=tuple((dict(DEFAULT_ARGS) | dict(traefik.args)).items()),
        owner=naming.service_name(config),
        secret_names=env.secret,
        secrets=None if lines is None else digest_lines(lines),
        secret_checks=checks_of(lines or ()),
        digest="",
    )
    return replace(proxy, digest=proxy_digest(proxy))


def proxy_digest(proxy: Proxy) -> str:
    """The fingerprint of what ``docker run`` is given; the owner is not part of it, the proxy is shared."""
    return digest_values(
        {
            "image": proxy.image,
            "publish": proxy.publish,
            "env": dict(proxy.env),
            "labels": dict(proxy.labels),
            "options": proxy.options,
            "log_options": proxy.log_options,
            "args": proxy.args,
        }
    )
