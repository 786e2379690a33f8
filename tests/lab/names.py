"""What a lab is called and where it lives. Pure: derived from the checkout's path alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

LABEL = "kp.lab"
IMAGE_LABEL = "kp.lab.image"
MORE_HOSTS = tuple(os.environ.get("LAB_MORE_HOSTS", "").split())
"""Names of further hosts with Docker, for benchmarks."""
DOCKER_HOSTS = ("web1", "web2", "job1", *MORE_HOSTS)
BARE_HOSTS = ("bare1",)
HOSTS = DOCKER_HOSTS + BARE_HOSTS
USERS = ("root", "deploy", "admin")
REGISTRY_USER = "kamal"
LAB_NETWORKS = IPv4Network("10.213.0.0/16")
FIRST_PORT = 15000


@dataclass(frozen=True)
class Names:
    """The names of one of a checkout's labs, so that two labs never share an object.

    Args:
        checkout: where the repository is.
        nth: empty for the first lab; ``1`` for the second.
    """

    checkout: Path
    nth: str = ""

    @property
    def lab(self) -> str:
        return "kp-" + hashlib.sha256(f"{self.checkout.resolve()}{self.nth}".encode()).hexdigest()[:8]

    @property
    def number(self) -> int:
        return int(self.lab.removeprefix("kp-"), 16)

    @property
    def label(self) -> str:
        return f"{LABEL}={self.lab}"

    @property
    def state(self) -> Path:
        return self.checkout / f".lab{self.nth}"

    @property
    def cgroup(self) -> str:
        return f"/{self.lab}"

    def container(self, host: str) -> str:
        return f"{self.lab}-{host}"


def here() -> Names:
    """Return the names of the checkout that this file is in; ``LAB_NTH`` says which of its labs is meant."""
    return Names(Path(__file__).resolve().parents[2], os.environ.get("LAB_NTH", ""))


def subnet_candidates(number: int, routed: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield the lab's /24 networks from the lab's own on, without those the machine routes already."""
    taken = list(routed)
    subnets = list(LAB_NETWORKS.subnets(new_prefix=24))
    first = number % len(subnets)
    for subnet in subnets[first:] + subnets[:first]:
        if not any(subnet.overlaps(network) for network in taken):
            yield subnet


def port_candidates(number: int) -> Iterator[int]:
    """Yield ports for the registry, from the lab's own on."""
    return (FIRST_PORT + (number + step) % 10000 for step in range(200))


def addresses(subnet: IPv4Network) -> dict[str, str]:
    """Give the registry and every host its fixed address."""
    return {
        "registry": str(subnet[2]),
        **{host: str(subnet[11 + index]) for index, host in enumerate(HOSTS)},
    }


def parse_routes(text: str) -> list[IPv4Network]:
    """Read `/proc/net/route`: the networks this machine routes, without the default route."""
    rows = [line.split() for line in text.splitlines()[1:]]
    networks = [(_little_endian(row[1]), _little_endian(row[7])) for row in rows if len(row) > 7]
    return [IPv4Network((address, mask.bit_count())) for address, mask in networks if mask != 0]


def _little_endian(hexadecimal: str) -> int:
    return int.from_bytes(bytes.fromhex(hexadecimal), "little")
