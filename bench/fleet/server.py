"""One SSH server on all of 127.0.0.0/8: each address is a host on which a version was deployed.

It answers the snapshot with the same text on every host and any other command with nothing. What it is good for
is the time that the controller takes; behaviour is proven on the lab.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncssh

READERS = ("cat >", "--password-stdin")
"""What a command has in it that reads its standard input."""


class AnyKey(asyncssh.SSHServer):
    """Lets everybody in who has a key at all."""

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True


async def serve(folder: Path, slow: str, seconds: float) -> None:
    """Listen on a free port, which is written to ``port``; the host key's public half to ``host_key.pub``.

    Args:
        folder: with the answer, and for what is written.
        slow: address of a host that takes longer.
        seconds: how much longer it takes for every command but the look.
    """
    answer = (folder / "snapshot.txt").read_text()
    key = asyncssh.generate_private_key("ssh-ed25519")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(folder / "client_key"))
    (folder / "host_key.pub").write_bytes(key.export_public_key())
    log = (folder / "log").open("a", buffering=1)

    async def handle(process: asyncssh.SSHServerProcess[str]) -> None:
        command = process.command or ""
        is_look = 'docker inspect --format "$template' in command
        text = answer if is_look else ""
        if any(reader in command for reader in READERS):
            await process.stdin.read()
        host = process.get_extra_info("sockname")[0]
        if host == slow and not is_look:
            await asyncio.sleep(seconds)
        log.write(f"{host} {len(command)} {len(text)}\n")
        process.stdout.write(text)
        process.exit(0)

    server = await asyncssh.listen(
        "0.0.0.0", 0, server_factory=AnyKey, server_host_keys=[key], process_factory=handle, backlog=500
    )
    (folder / "port").write_text(str(server.get_port()))
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
