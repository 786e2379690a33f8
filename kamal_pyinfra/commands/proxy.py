"""The Traefik container of a host."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import chain, expandable, flags, join, words
from kamal_pyinfra.naming import CLEAR_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.compare import prompt_arguments, proxy_arguments
from kamal_pyinfra.plan.secret_checks import clear_labels
from kamal_pyinfra.plan.state import Proxy


def run(proxy: Proxy) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels."""
    return join(
        f"docker run --name {words(proxy.name)} --detach --restart unless-stopped",
        words("--publish", proxy.publish) if proxy.publish else "",
        "--volume /var/run/docker.sock:/var/run/docker.sock",
        words("--env-file", proxy.env_file),
        *(f"--env {words(name)}={expandable(value)}" for name, value in proxy.env),
        *(words(flag, value) for flag, value in proxy.log_options),
        *(words("--label", f"{name}={value}") for name, value in proxy.labels),
        words("--label", f"{DIGEST_LABEL}={proxy.digest}", "--label", f"{OWNER_LABEL}={proxy.owner}"),
        *(words("--label", f"{CLEAR_LABEL}={names}") for names in clear_labels(proxy.env, proxy.secret_names)),
        flags(proxy.options),
        words(proxy.image, *proxy_arguments(proxy), *prompt_arguments(proxy)),
        "> /dev/null",
    )


def start(name: str) -> str:
    """Start the stopped container."""
    return f"docker start {words(name)} > /dev/null"


def stop(name: str) -> str:
    """Stop the container; it stays as it is."""
    return f"docker stop {words(name)} > /dev/null"


def remove(name: str) -> str:
    """Stop and remove the container."""
    return chain(stop(name), f"docker rm {words(name)} > /dev/null")


def have_image(proxy: Proxy) -> str:
    """Fetch the image unless it is there."""
    image = words(proxy.image)
    return f"{{ docker image inspect {image} > /dev/null 2>&1 || docker pull --quiet {image} > /dev/null; }}"
