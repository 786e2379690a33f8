"""Several private keys that are in no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paramiko import Agent, PKey, SSHConfig
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey


class SeveralKeys(AuthStrategy):
    """Offers keys one after the other; paramiko by itself takes one.

    Args:
        user: the remote user.
        keys: ``ssh.key_data``.
        files: ``ssh.keys``; one that cannot be read is left out, as OpenSSH does.
        asks_agent: offer what an agent has too.
    """

    def __init__(self, user: str, keys: Sequence[PKey], *, files: Sequence[str] = (), asks_agent: bool = True) -> None:
        super().__init__(ssh_config=SSHConfig())
        self.user = user
        self.keys = tuple(keys)
        self.files = tuple(files)
        self.asks_agent = asks_agent

    def get_sources(self) -> Iterator[AuthSource]:
        """The keys in the order in which they are offered."""
        for key in (*self.keys, *self._from_files(), *(Agent().get_keys() if self.asks_agent else ())):
            yield InMemoryPrivateKey(self.user, key)

    def _from_files(self) -> Iterator[PKey]:
        for path in self.files:
            try:
                yield PKey.from_path(path)
            except Exception:  # noqa: S112 - whatever a file holds, the next key may be the right one
                continue
