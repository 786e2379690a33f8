"""Log lines of Traefik 2.11 and 3 as they really are, and what Docker says of the proxy."""

from __future__ import annotations

OLD, NEW = "172.17.0.3", "172.17.0.4"
DEBUG = '/traefik true none ["--providers.docker","--log.level=DEBUG"]\n'
INFO = DEBUG.replace("DEBUG", "INFO")


STARTED = "2026-05-01T09:59:59.123456789Z"
AT = "+at json-file default =172.17.0.2,\n+port 80/tcp 8080 0.0.0.0\n"


def seen(*containers: str, proxy: str = DEBUG, at: str = AT) -> str:
    """What Docker prints of the proxy and of containers, each ``NAME HEALTH ADDRESS``, or more addresses."""
    rows = (each.split() for each in containers)
    return (proxy and proxy + at) + "".join(
        f"/{name} true {health} {STARTED} ={''.join(f'{address},' for address in addresses)}\n"
        for name, health, *addresses in rows
    )


def servers(*addresses: str) -> str:
    return ",".join(f'{{"url":"http://{address}:3000"}}' for address in addresses)


def v2(*addresses: str, provider: str = "docker") -> str:
    """Traefik 2.11 at debug level (logrus), a configuration as it arrives."""
    config = (
        '{"http":{"routers":{"shop-web":{"service":"shop-web","rule":"PathPrefix(`/`)","priority":2}},"services":'
        f'{{"shop-web":{{"loadBalancer":{{"servers":[{servers(*addresses)}],"passHostHeader":true}}}}}}}},"tcp":{{}}}}'
    )
    escaped = config.replace('"', '\\"')
    return f'time="2026-05-01T10:00:00Z" level=debug msg="Configuration received: {escaped}" providerName={provider}\n'


def v2_built(*addresses: str) -> str:
    """Traefik 2.11, the routers built from it."""
    about = "entryPointName=http routerName=shop-web@docker serviceName=shop-web"
    lines = [f'time="2026-05-01T10:00:00Z" level=debug msg="Creating load-balancer" {about}']
    lines += [
        f'time="2026-05-01T10:00:00Z" level=debug msg="Creating server {number} http://{address}:3000" {about}'
        f" serverName={number}"
        for number, address in enumerate(addresses)
    ]
    return "\n".join(lines) + "\n"


def v3(*addresses: str, provider: str = "docker") -> str:
    """Traefik 3 at debug level (zerolog's console, with colours), a configuration as it arrives."""
    return (
        "\x1b[90m2026-05-01T10:00:00Z\x1b[0m DBG \x1b[1mgithub.com/traefik/traefik/v3/pkg/server/"
        "configurationwatcher.go:248\x1b[0m\x1b[36m >\x1b[0m Configuration received \x1b[36mconfig=\x1b[0m"
        '{"http":{"routers":{"shop-web":{"priority":2,"rule":"PathPrefix(`/`)","service":"shop-web"}},"services":'
        f'{{"shop-web":{{"loadBalancer":{{"servers":[{servers(*addresses)}],"strategy":"wrr"}}}}}}}},"tcp":{{}}}}'
        f" \x1b[36mproviderName=\x1b[0m{provider}\n"
    )


def v3_built(*addresses: str) -> str:
    """Traefik 3, the routers built from it."""
    code = "\x1b[90m2026-05-01T10:00:00Z\x1b[0m DBG \x1b[1mgithub.com/traefik/traefik/v3/pkg/server/service/service.go:"
    about = "\x1b[36mentryPointName=\x1b[0mhttp \x1b[36mrouterName=\x1b[0mshop-web@docker"
    lines = [
        f"{code}427\x1b[0m\x1b[36m >\x1b[0m Creating load-balancer {about} \x1b[36mserviceName=\x1b[0mshop-web@docker"
    ]
    lines += [
        f"{code}485\x1b[0m\x1b[36m >\x1b[0m Creating server \x1b[36mURL=\x1b[0mhttp://{address}:3000 {about}"
        f" \x1b[36mserverIndex=\x1b[0m{number} \x1b[36mserviceName=\x1b[0mshop-web@docker"
        for number, address in enumerate(addresses)
    ]
    return "\n".join(lines) + "\n"


def again(received: str) -> str:
    """The same configuration once more, which both generations skip."""
    if received.startswith("time="):
        about = 'level=debug msg="Skipping unchanged configuration." providerName=docker'
        return f'{received}time="2026-05-01T10:00:00Z" {about}\n'
    code = "\x1b[1mgithub.com/traefik/traefik/v3/pkg/server/configurationwatcher.go:138\x1b[0m\x1b[36m >\x1b[0m"
    about = "Skipping unchanged configuration \x1b[36mproviderName=\x1b[0mdocker"
    return f"{received}\x1b[90m2026-05-01T10:00:00Z\x1b[0m DBG {code} {about}\n"


def other_service(built: str) -> str:
    """The same lines for another service."""
    return built.replace("shop-web", "catchall")
