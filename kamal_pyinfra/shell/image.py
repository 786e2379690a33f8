"""Registry and images on a host."""

from __future__ import annotations

from kamal_pyinfra.shell.script import chain, join, quoted

MIRROR = "docker info --format '{{with .RegistryConfig}}{{with .Mirrors}}{{index . 0}}{{end}}{{end}}'"
"""Prints the first registry mirror that the engine is set up with; nothing without one."""
NOTE = "kp-note "  # begins a line that a user should read
LOAD = "docker load"


def log_in(server: str | None, username: str) -> str:
    """``docker login`` with the password, measured, on standard input."""
    return join("log_in_to_registry", quoted(server) if server else "", quoted("-u", username))


def pull(image: str, service: str) -> str:
    """Pull an image, with a line for each layer, and refuse one without the service's label (Kamal 1.9)."""
    # The tag that it has already records when: Docker keeps the time of a tag, and not that of a pull.
    return chain(f"docker pull {quoted(image)}", label_check(image, service), tag(image, image))


def label_check(image: str, service: str) -> str:
    """Refuse an image that does not carry the service's label (Kamal 1.9)."""
    return f"require_label {quoted(image, service)}"


def tag(image: str, new_tag: str) -> str:
    """Give an image a second name."""
    return f"docker tag {quoted(image, new_tag)}"


def remove(images: tuple[str, ...]) -> str:
    """Remove tags; the layers go with the last one."""
    return f"docker rmi {quoted(*images)} > /dev/null"


def remove_untagged(service: str) -> str:
    """Remove a service's images that have no tag and no container."""
    return f"docker image prune --force {quoted('--filter', f'label=service={service}')} > /dev/null"


def log_out(server: str | None) -> str:
    """Forget the credentials of a registry."""
    return join("docker logout", quoted(server) if server else "", "> /dev/null")


def was_loaded(image: str, service: str) -> str:
    """An image that came as a stream is checked like one that was pulled."""
    note = f"{NOTE}{image} was sent as a whole, without a registry"
    return chain(label_check(image, service), f"echo {quoted(note)}")
