"""What brings an image of the registry on the deploying machine to a host, as text and run by a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.local import registry as own_registry
from tests.shell.fake_host import FakeHost

DIGEST = f"sha256:{'1f' * 32}"


def test_an_image_is_pulled_by_its_digest_and_then_named() -> None:
    script = own_registry.pull("localhost:5555/acme/shop:v2", DIGEST, "shop", 5555)
    assert script.split(" && ")[1:3] == [
        f"docker pull localhost:5555/acme/shop@{DIGEST}",
        f"docker tag localhost:5555/acme/shop@{DIGEST} localhost:5555/acme/shop:v2",
    ]
    assert script.endswith(" && require_label localhost:5555/acme/shop:v2 shop")


ROW = "   0: {address}:15B3 {far}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0"


@pytest.mark.parametrize(
    ("address", "is_open"),
    [("0100007F", False), ("00000000", True), ("0" * 32, True), ("0" * 24 + "01000000", False)],
    ids=["127.0.0.1", "0.0.0.0", "[::]", "[::1]"],
)
def test_a_port_that_sshd_opens_to_the_network_is_told_of(
    host: FakeHost, tmp_path: Path, address: str, is_open: bool
) -> None:
    table = tmp_path / "tcp"
    table.write_text(ROW.format(address=address, far="0" * len(address)) + "\n")
    script = own_registry.pull("localhost:5555/acme/shop:v2", DIGEST, "shop", 5555)
    check = script.partition(" && docker pull")[0].replace("/proc/net/tcp /proc/net/tcp6", str(table))
    said = host.run(check)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("kp-note sshd opened port 5555 to the network") == is_open
