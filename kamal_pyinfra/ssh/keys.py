"""Private keys: which are offered to a host, in which order, and the message when none of them lets us in.

As OpenSSH does: a file that is not there is left out; a key that an agent holds is used through the agent, known by the
public half next to the file or in it; a passphrase is asked for once in a run, on a terminal only, and last of all.
Otherwise than OpenSSH named keys come before all else that an agent holds, since sshd counts attempts.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from getpass import getpass
from io import StringIO
from pathlib import Path

import gevent
import paramiko
from paramiko import AuthenticationException, PKey, SSHException, Transport
from paramiko.agent import AgentKey, AgentSSH
from paramiko.auth_strategy import AuthSource, AuthStrategy, SourceResult
from paramiko.config import SSHConfig

from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.ssh.client_config import DEFAULT_KEYS, DEFAULT_USER, HostSettings, expanded
from kamal_pyinfra.ssh.host_keys import RunKeys, fingerprint

MOST_BYTES = 1024 * 1024
LIST_SECONDS, SIGN_SECONDS = 10, 120
"""For an agent to list its keys, and to sign: the user may have to confirm it or to touch a token."""
MAGIC = b"openssh-key-v1\0"
PEM = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
KINDS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
DROPPED = "server connection dropped during authentication"


class NotLetIn(SSHException):
    """Nothing that was offered let us in; the message names all of it."""


class NeedsPassphrase(Exception):
    """A private key is encrypted, and its passphrase was not typed."""


class Offering(AuthStrategy):
    """Offers keys until the host lets the user in: those given, in no file, those of settings, then a password."""

    def __init__(self, settings: HostSettings, given: Sequence[PKey], run_keys: RunKeys, password: str | None) -> None:
        super().__init__(ssh_config=SSHConfig())
        self.settings, self.given, self.run_keys, self.password = settings, given, run_keys, password
        self.user, self.host = settings.user or DEFAULT_USER, settings.alias
        self.tried: list[str] = []
        self.left_out: list[str] = []
        self.offered: set[bytes] = set()
        self.locked: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """Return none: :meth:`authenticate` asks for keys as it goes on."""
        return iter(())

    def authenticate(self, transport: Transport) -> list[SourceResult]:
        """Get in, or raise why not; the list, which paramiko wants, is empty."""
        with _agent(self.settings.identity_agent, self.left_out) as held:
            is_in = any(self._try(transport, label, key) for label, key in self._keys(held))
        if is_in or self._by_other_means(transport):
            return []
        raise NotLetIn(self._reason())

    def _try(self, transport: Transport, label: str, key: PKey) -> bool:
        try:
            self.tried.append(label)
            # What is left to do is an answer too: a host may want two keys.
            return not transport.auth_publickey(self.user, key)
        except paramiko.BadAuthenticationType as error:
            only = ", ".join(error.allowed_types)
            raise NotLetIn(f"{self.host} takes no keys from {self.user}, only {only}") from None
        except AuthenticationException:
            self._require_connection(transport)
        except SSHException as error:  # an agent that does not want to sign
            self._require_connection(transport)
            self.left_out.append(f"{label} cannot be used ({error})")
        return False

    def _require_connection(self, transport: Transport) -> None:
        if transport.is_active():
            return
        if len(self.tried) > 1:
            raise NotLetIn(f"{self._reason()} (the host ended the connection: MaxAuthTries, or LoginGraceTime)")
        raise SSHException(DROPPED)

    def _by_other_means(self, transport: Transport) -> bool:
        """A password, or nothing at all, as with hosts that know us by the network."""
        with contextlib.suppress(AuthenticationException, SSHException):
            if self.password is not None:
                self.tried.append("the password")
                return not transport.auth_password(self.user, self.password)
            return not transport.auth_none(self.user)
        return False

    def _reason(self) -> str:
        tried = f"tried {', '.join(self.tried)}" if self.tried else "there was no key to offer"
        return "; ".join([f"{self.host} does not let {self.user} in: {tried}", *dict.fromkeys(self.left_out)])

    def _keys(self, held: Sequence[AgentKey]) -> Iterator[tuple[str, PKey]]:
        files = self.settings.identity_files
        yield from ((f"key_data {key.get_name()} {fingerprint(key.asbytes())}", key) for key in self.given)
        yield from self._of_files(files, held, is_named=True)
        if not self.settings.identities_only:
            for key in self._fresh(held):
                comment = "".join(letter if letter.isprintable() else "?" for letter in key.comment)
                yield f"{comment or key.get_name()} ({fingerprint(key.blob)}) of the agent", key
        if not files and not self.given:
            yield from self._of_files([expanded(f"~/.ssh/{name}") for name in DEFAULT_KEYS], held, is_named=False)
        for path in self.locked:
            if (unlocked := self._unlocked(path)) is not None:
                yield short(path), unlocked
            else:
                self._leave_out(self.run_keys.locked[path])

    def _fresh(self, keys: Sequence[AgentKey]) -> Iterator[AgentKey]:
        """Those that were not offered yet."""
        for key in keys:
            if key.blob not in self.offered:
                self.offered.add(key.blob)
                yield key

    def _of_files(
        self, files: Sequence[str], held: Sequence[AgentKey], *, is_named: bool
    ) -> Iterator[tuple[str, PKey]]:
        for path in files:
            # The public keys, certificates first, that belong to the private one: in files next to it, or in its own.
            certificates = (*self.settings.certificate_files, f"{path}-cert.pub")
            texts = [_read(name) for name in (*certificates, f"{path}.pub", path)]
            halves = [half for half in (*map(_public, texts), _public_in_private(texts[-1])) if half]
            agents = [key for half in halves for key in held if key.blob == half]
            if agents:
                yield from ((f"{short(path)} of the agent", key) for key in self._fresh(agents))
                continue
            try:
                key = self._load(path)
            except NeedsPassphrase:
                self.locked.append(path)
            except (OSError, SSHException, ValueError) as error:
                if is_named:
                    why = "is not there" if isinstance(error, FileNotFoundError) else error
                    self._leave_out(f"{short(path)} {why}")
            else:
                self.offered.update(halves)
                yield short(path), key

    def _leave_out(self, text: str) -> None:
        self.left_out.append(text)
        if self.run_keys.on_left_out is not None:
            self.run_keys.on_left_out(f"{self.host}: {text}")

    def _load(self, path: str, passphrase: str | None = None) -> PKey:
        if path not in self.run_keys.loaded:
            self.run_keys.loaded[path] = _load_key(path, self.settings.certificate_files, passphrase)
        return self.run_keys.loaded[path]

    def _unlocked(self, path: str) -> PKey | None:
        """An encrypted key, whose passphrase the user types, once, however many hosts wait for it."""
        known = self.run_keys
        with known.alone:
            if path not in known.loaded and path not in known.locked:
                known.locked[path] = self._ask(path)
            return known.loaded.get(path)

    def _ask(self, path: str) -> str:
        """Load a key with what the user types; return why it is not loaded, or nothing."""
        unknown = f"{short(path)} has a passphrase; run ssh-add"
        if not sys.stdin.isatty():
            return unknown
        try:
            # In a thread: the other hosts go on meanwhile.
            typed = gevent.get_hub().threadpool.apply(getpass, (f"Passphrase of {short(path)}: ",))
            self._load(path, typed)
        except (EOFError, OSError):
            return unknown
        except (SSHException, NeedsPassphrase, ValueError):
            return f"the passphrase of {short(path)} was wrong"
        return ""


def short(path: str) -> str:
    """Return a path as people write it."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


@contextlib.contextmanager
def _agent(path: str | None, left_out: list[str]) -> Iterator[Sequence[AgentKey]]:
    """The keys that an agent holds, for as long as one host is asked; none if there is no agent."""
    place = os.environ.get("SSH_AUTH_SOCK", "") if path is None else path
    agent, held = _AgentAt(), tuple[AgentKey, ...]()
    try:
        held = agent.reach(place) if place else ()
    except (OSError, SSHException, ValueError, IndexError) as error:
        left_out.append(f"the agent at {short(place)} does not answer ({error})")
    try:
        yield held
    finally:
        agent._close()  # type: ignore[attr-defined]  # not in its types


class _AgentAt(AgentSSH):
    """An agent at a socket; paramiko's own asks the environment, which greenlets share."""

    def reach(self, path: str) -> tuple[AgentKey, ...]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(LIST_SECONDS)
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # paramiko has no other way to choose it
        except BaseException:
            connection.close()
            raise
        connection.settimeout(SIGN_SECONDS)
        return tuple(self.get_keys())


def _read(path: str) -> bytes:
    try:
        if not Path(path).is_file():
            return b""
        with Path(path).open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""


def _public(text: bytes) -> bytes:
    words = text.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return b""
    with contextlib.suppress(ValueError, binascii.Error):
        return base64.b64decode(words[1], validate=True)
    return b""


def _public_in_private(text: bytes) -> bytes:
    """OpenSSH's own format has the public half before the encrypted part."""
    with contextlib.suppress(ValueError, binascii.Error):
        data = base64.b64decode(b"".join(found[1].split()), validate=True) if (found := PEM.search(text)) else b""
        if data.startswith(MAGIC):
            rest = data[len(MAGIC) :]
            for _ in range(3):  # cipher, key derivation and its options
                rest = rest[4 + int.from_bytes(rest[:4], "big") :]
            return rest[8 : 8 + int.from_bytes(rest[4:8], "big")]
    return b""


def _load_key(path: str, certificates: Sequence[str], passphrase: str | None) -> PKey:
    """A private key from its file, with the certificate that goes with it; raises why there is none."""
    if not Path(path).exists():
        raise FileNotFoundError(path)
    if not Path(path).is_file():
        raise SSHException("is no file")
    if _public(_read(path)):
        raise SSHException("is a public key, and the agent does not hold its private half")
    for kind in KINDS:
        try:
            key: PKey = kind.from_private_key_file(path, password=passphrase)
        except paramiko.PasswordRequiredException:
            raise NeedsPassphrase(path) from None
        except OSError as error:
            raise SSHException(f"cannot be read ({error.strerror})") from None
        except (SSHException, ValueError, IndexError, TypeError):
            continue
        half = next((name for name in (*certificates, f"{path}-cert.pub") if Path(name).is_file()), None)
        if half is not None:
            with contextlib.suppress(SSHException, ValueError, OSError):
                key.load_certificate(half)
        return key
    raise SSHException("holds no private key that can be read" if passphrase is None else "stays locked")


def parse_key(text: str) -> PKey:
    """Read a private key from its text."""
    for kind in KINDS:
        with contextlib.suppress(SSHException, ValueError):
            return kind.from_private_key(StringIO(text))
    raise ConfigError("ssh/key_data: not a private key that can be read (a key with a password needs an agent)")
