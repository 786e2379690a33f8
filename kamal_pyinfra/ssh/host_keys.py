"""Whether the key that a host shows is its own (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Each line counts by itself: one that cannot be understood hides no other. A file that is there and cannot be read is an
error, for then nothing is known. A host of which a key is known must show a known one, of whatever type.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import gevent
import paramiko.client
from gevent.lock import BoundedSemaphore
from paramiko import MissingHostKeyPolicy, PKey, SSHException

from kamal_pyinfra.ssh.client_config import HostSettings, is_in

MOST_BYTES = 64 * 1024 * 1024
WRITE_SECONDS = 2
KRL_MAGIC = b"SSHKRL\n\0"
USER_FILE = "~/.ssh/known_hosts"
REVOKED, AUTHORITY = "@revoked", "@cert-authority"


class HostKeyRefused(SSHException):
    """A host is not connected to, since its key cannot be trusted; the message has the reason and the way out."""


@dataclass(kw_only=True)
class RunKeys:
    """The keys that a run accepted or loaded, shared by all its connections."""

    # host keys that were accepted as new, by host: no file may take them away
    accepted: dict[str, set[bytes]] = field(default_factory=dict)
    loaded: dict[str, PKey] = field(default_factory=dict)  # private keys, by path; each is read once
    # why private keys stay locked, by path; each passphrase is asked for once
    locked: dict[str, str] = field(default_factory=dict)
    alone: BoundedSemaphore = field(default_factory=BoundedSemaphore)  # held while a passphrase is typed
    # takes a line about each host key that is accepted as new; by default pyinfra's log does
    on_accepted: Callable[[str], object] | None = None
    # takes a line about each named key that is not offered to a host, with the reason
    on_left_out: Callable[[str], None] | None = None


@dataclass(frozen=True)
class KnownKey:
    """One line of a file: patterns or a digest of hosts, their key, and :data:`REVOKED`, :data:`AUTHORITY` or none."""

    hosts: str
    blob: bytes
    marker: str
    place: str

    def is_of(self, name: str) -> bool:
        """Whether the line is about a host, named as ``HOST`` or ``[HOST]:PORT``."""
        if not self.hosts.startswith("|1|"):
            return is_in(name, self.hosts.lower().split(","))
        try:
            salt, digest = (base64.b64decode(part) for part in self.hosts[3:].split("|"))
        except ValueError:
            return False
        return hmac.digest(salt, name.encode(), "sha1") == digest


class HostKeys(MissingHostKeyPolicy):
    """What is known of the keys of one host, by its names: ``[HOST]:PORT``, which a new key gets, and ``HOST``."""

    def __init__(self, names: Sequence[str], settings: HostSettings, run_keys: RunKeys) -> None:
        self.name, *others = dict.fromkeys(name.lower() for name in names)
        self.settings = settings
        self.run_keys = run_keys
        files = [_file(file) for file in (*settings.known_hosts, *settings.system_known_hosts)]
        own, spare = ([line for file in files for line in file.lines_of(name)] for name in (self.name, *others, "")[:2])
        self.own = [line for line in own if not line.marker]
        self.spare = [line for line in spare if not line.marker]
        self.authority = next((line for line in (*own, *spare) if line.marker == AUTHORITY), None)
        self.revoked = {line.blob for line in (*own, *spare) if line.marker == REVOKED}

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the known keys; the host is asked for one of these, of which it may have others too."""
        return tuple(dict.fromkeys(_type_of(line.blob) for line in self.own or self.spare))

    def missing_host_key(self, client: paramiko.client.SSHClient, hostname: str, key: PKey) -> None:
        """Check a key; paramiko asks for each, since it is given none."""
        self.check(key)

    def check(self, key: PKey) -> None:
        """Raise HostKeyRefused unless a key is the host's, which proved that it has the private half, or may be new."""
        blob, accepted = key.asbytes(), self.run_keys.accepted.get(self.name, set())
        shown = f"{_type_of(blob)} {fingerprint(blob)}"
        if blob in self.revoked or _is_revoked(blob, self.settings.revoked_host_keys):
            raise HostKeyRefused(f"the key of {self.name} is revoked ({shown}): the host is not connected to")
        if blob in accepted or any(line.blob == blob for line in self.own):
            return
        if self.own or accepted:
            place = self.own[0].place if self.own else "it had a moment ago"
            raise HostKeyRefused(
                f"the key of {self.name} is another than {place} ({shown}): somebody may be in between. If the host "
                f"has a new key, run `ssh-keygen -R '{self.name}'` and connect again"
            )
        if any(line.blob == blob for line in self.spare):
            return
        if self.settings.strict in ("yes", "true"):
            where = ", ".join(self.settings.known_hosts) or "known_hosts"
            raise HostKeyRefused(
                f"no key of {self.name} is in {where}, and `host_keys: strict` refuses {shown}{self._not_vouched()}"
            )
        self._accept(key, f"{shown}{self._not_vouched()}")

    def _not_vouched(self) -> str:
        """That the authority of a file was not asked, and how its word can count all the same."""
        if self.authority is None:
            return ""
        host, _, port = self.name.removeprefix("[").partition("]:")
        target = f"-p {port} {host}" if port else host
        file = (*self.settings.known_hosts, USER_FILE)[0]
        return (
            f" ({self.authority.place} has a certificate authority for it, but kp checks no host certificates, which "
            f"ssh does: `ssh {target} cat /etc/ssh/ssh_host_ed25519_key.pub | sed 's/^/{self.name} /' >> {file}` takes "
            "its key over)"
        )

    def _accept(self, key: PKey, shown: str) -> None:
        """Remember a new key, for the run and in the first file, and report it once."""
        self.run_keys.accepted.setdefault(self.name, set()).add(key.asbytes())
        files = self.settings.known_hosts
        failure = _write(self.name, key, files[0]) if files else "there is no file for it"
        end = f"for this run only: {failure}" if failure else f"written to {files[0]}"
        text = f"{self.name}: new host key accepted, {shown}, {end}"
        if self.run_keys.on_accepted is not None:
            self.run_keys.on_accepted(text)
            return
        from pyinfra import logger  # noqa: PLC0415 - slow to import where nothing of it is needed

        logger.warning(text)


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a key as ``ssh`` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _is_revoked(blob: bytes, file: str) -> bool:
    content = _content(file) if file else b""
    if content is None:
        raise HostKeyRefused(f"{file} (RevokedHostKeys) is not there: no host key can be checked")
    if content.startswith(KRL_MAGIC):
        raise HostKeyRefused(f"{file} (RevokedHostKeys) is a binary list, which kp cannot read; list the keys as text")
    return any(base64.b64encode(blob) in line.split() for line in content.splitlines())


class _File:
    """The lines of a file that can be understood, those with plain names by name."""

    def __init__(self, lines: Iterator[KnownKey]) -> None:
        self.named: dict[str, list[KnownKey]] = {}
        self.others: list[KnownKey] = []
        for line in lines:
            names = line.hosts.lower().split(",")
            if any(set(name) & {"*", "?", "!", "|"} for name in names):
                self.others.append(line)
            else:
                for name in names:
                    self.named.setdefault(name, []).append(line)

    def lines_of(self, name: str) -> list[KnownKey]:
        return [*self.named.get(name, ()), *(line for line in self.others if name and line.is_of(name))]


def _file(file: str) -> _File:
    try:
        found = Path(file).stat()
    except (FileNotFoundError, NotADirectoryError):
        return _File(iter(()))
    except OSError as error:
        raise _unreadable(file, error) from None
    return _parsed(file, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=8)
def _parsed(file: str, version: tuple[int, int, int]) -> _File:
    """A file; it is read again when its version differs."""
    content = _content(file) or b""
    return _File(line for number, text in enumerate(content.split(b"\n"), 1) for line in _line(text, file, number))


def _line(text: bytes, file: str, number: int) -> Iterator[KnownKey]:
    words = text.decode("latin-1").split()
    if not words or words[0].startswith("#"):
        return
    marker = words.pop(0) if words[0].startswith("@") else ""
    if len(words) < 3 or marker not in ("", REVOKED, AUTHORITY):
        return
    hosts, kind, encoded = words[:3]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return
    if _type_of(blob) == kind and _is_whole(blob):
        yield KnownKey(hosts, blob, marker, f"{file}:{number}")


def _content(file: str) -> bytes | None:
    """A file; ``None`` where there is none."""
    try:
        mode = Path(file).stat().st_mode
        if stat.S_ISCHR(mode) and Path(file) == Path(os.devnull):
            return b""
        if not stat.S_ISREG(mode):  # a pipe would be waited for
            raise HostKeyRefused(f"{file} is no file: no host key can be checked")
        with Path(file).open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(file, error) from None
    if len(content) > MOST_BYTES:
        raise HostKeyRefused(f"{file} is too long: no host key can be checked")
    return content


def _unreadable(file: str, error: OSError) -> HostKeyRefused:
    return HostKeyRefused(f"{file} cannot be read ({error.strerror}): no host key can be checked")


def _is_whole(blob: bytes) -> bool:
    """Whether the fields of a key end where it ends; a line may have been cut off."""
    while blob:
        end = 4 + int.from_bytes(blob[:4], "big")
        if end > len(blob) or end == 4:
            return False
        blob = blob[end:]
    return True


def _type_of(blob: bytes) -> str:
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length].decode("latin-1")


def _write(name: str, key: PKey, file: str) -> str:
    """Append a key to a file, as a whole line or not at all; return why it could not be done, or nothing."""
    line = f"{name} {key.get_name()} {key.get_base64()}\n".encode()
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "rb", buffering=0):
            if not _is_locked(number):
                return f"{file} is locked by another program"
            size = os.fstat(number).st_size
            if size and os.pread(number, 1, size - 1) != b"\n":  # its last line was cut off
                line = b"\n" + line
            if os.write(number, line) != len(line):
                os.ftruncate(number, size)
                return f"{file} cannot be written (no space left)"
    except OSError as error:
        return f"{file} cannot be written ({error.strerror})"
    return ""


def _is_locked(number: int) -> bool:
    """Lock an open file for a line; any user who can read it can hold it."""
    with gevent.Timeout(WRITE_SECONDS, False):
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                gevent.sleep(0.05)
            else:
                return True
    return False
