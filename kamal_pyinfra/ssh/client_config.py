"""What ``~/.ssh/config`` and ``/etc/ssh/ssh_config`` have about a host, read as ``ssh`` reads them (ssh_config(5)).

The first value that is found for a keyword counts, ``IdentityFile`` and ``CertificateFile`` are collected. What this
module does not use is passed by. ``ssh -G HOST`` shows the same, and the tests compare the two.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kamal_pyinfra.ssh.patches import Invoke

SYSTEM = Path("/etc/ssh/ssh_config")
MOST_BYTES = 16 * 1024 * 1024
WAYS = frozenset({"proxyjump", "proxycommand"})  # to a host; their value is the rest of the line
WORDS = re.compile(r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<plain>[^\s"']+))""")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
DEPTH = 16  # of files that include each other (readconf.c)
COLLECTED = frozenset({"identityfile", "certificatefile"})
DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
"""Private keys that ``ssh`` tries by itself, in its order."""
USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
NONE = "none"
DEFAULT_USER = "root"  # of Kamal, where neither `deploy.yml` nor the files of `ssh` have one


class SshConfigError(Exception):
    """A file of ``ssh`` that cannot be read or understood; the message names it."""


@dataclass(frozen=True)
class Line:
    """One keyword of a file, in small letters, with its words and the rest of its line as it is."""

    keyword: str
    words: tuple[str, ...]
    rest: str
    place: str


def _version_of(path: Path) -> tuple[int, int]:
    """What changes with the content of a file, so that it is read once; zeros for a file that is not there."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, 0
    except OSError as error:
        raise SshConfigError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size


@cache
def lines_of(path: str, version: tuple[int, int]) -> tuple[Line, ...]:
    """Return the keywords of a file, once for each version of it."""
    if version == (0, 0):
        return ()
    try:
        if not Path(path).is_file():
            return ()
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SshConfigError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise SshConfigError(f"{path} is too long")
    texts = data.decode(errors="surrogateescape").split("\n")
    return tuple(line for number, text in enumerate(texts, start=1) for line in _line(text, f"{path}:{number}"))


def _line(text: str, place: str) -> Iterator[Line]:
    stripped = text.strip(" \t\r\f\v")
    found = re.match(r'"?([A-Za-z0-9]+)"?(?:[ \t]*=[ \t]*|[ \t]+)(.*)', stripped)
    if stripped.startswith("#") or found is None:
        return
    keyword, rest = found[1].lower(), found[2].strip()
    words = (rest,) if keyword in WAYS and rest else _words_of(rest, place)
    yield Line(keyword, tuple(words), rest, place)


def _words_of(text: str, place: str) -> list[str]:
    """Words as ``ssh`` separates them: quotes hold them together, ``#`` at the beginning of one ends the line."""
    words: list[str] = []
    rest = text
    while rest := rest.lstrip(" \t"):
        if rest.startswith("#"):
            break
        word, position = "", 0
        while position < len(rest) and rest[position] not in " \t":
            found = WORDS.match(rest, position)
            if found is None:
                raise SshConfigError(f"{place}: a quote is not closed")
            quoted = found["double"] if found["double"] is not None else found["single"]
            word += re.sub(r"""\\(["'\\])""", r"\1", quoted) if quoted is not None else found["plain"]
            position = found.end()
        words.append(word)
        rest = rest[position:]
    return words


def expanded(path: str) -> str:
    """Return a path with its ``~`` replaced; the rest stays as it is written."""
    return os.path.expanduser(path)  # noqa: PTH111 - a `Path` writes it anew


def _with_variables(path: str) -> str:
    return expanded(VARIABLE.sub(lambda found: os.environ.get(found[1], ""), path))


def _included_by(line: Line, *, is_users: bool) -> Iterator[Path]:
    """The files that an ``Include`` line names, those that are there."""
    folder = expanded("~/.ssh") if is_users else SYSTEM.parent
    for word in line.words:
        pattern = Path(folder) / _with_variables(word)  # an absolute one stands alone
        yield from map(Path, sorted(glob.glob(str(pattern))))  # noqa: PTH207 - absolute patterns


def is_in(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of those that patterns mean, of which one with ``!`` excludes."""
    fitting = [pattern for pattern in patterns if _fits(name, pattern.removeprefix("!"))]
    return bool(fitting) and not any(pattern.startswith("!") for pattern in fitting)


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or (bool(set(pattern) & {"*", "?"}) and _regex(pattern).fullmatch(name) is not None)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    # ssh knows `*` and `?` only; brackets are those of an address
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


@dataclass(frozen=True)
class HostSettings:
    """What the files have about one host, tokens and ``~`` replaced."""

    alias: str  # the host as it was asked for; ``host_name`` is where to connect
    host_name: str
    port: int | None = None  # ``None`` if no file has it; so for ``user``
    user: str | None = None
    identity_files: tuple[str, ...] = ()  # of ``IdentityFile``, in order; empty if none is named
    certificate_files: tuple[str, ...] = ()  # of ``CertificateFile``
    identities_only: bool = False  # offer nothing that an agent holds besides these
    identity_agent: str | None = None  # socket of the agent; ``None`` for ``SSH_AUTH_SOCK``, empty for no agent
    proxy_jump: tuple[str, ...] = ()  # jump hosts as they are written, in order; empty for none
    proxy_command: str = ""  # with its tokens replaced; empty for none
    host_key_alias: str = ""  # the name under which its key is kept, instead of its own
    known_hosts: tuple[str, ...] = ()  # the user's files with host keys
    system_known_hosts: tuple[str, ...] = ()  # those of the machine
    revoked_host_keys: str = ""  # a file with keys that are not accepted; empty for none
    strict: str = ""  # what ``StrictHostKeyChecking`` is, in small letters; empty if nothing
    connect_timeout: int | None = None  # seconds
    address_family: str = "any"  # ``any``, ``inet`` or ``inet6``

    def expand(self, text: str) -> str:
        """Replace the tokens in a text of ssh_config."""
        machine = socket.gethostname()
        tokens = {
            "%": "%",
            "d": str(Path.home()),
            "h": self.host_name,
            "i": str(os.getuid()),
            "j": "",
            "k": self.host_key_alias or self.alias,
            "L": machine.partition(".")[0],
            "l": machine,
            "n": self.alias,
            "p": str(self.port or 22),
            "r": self.user or local_user(),
            "u": local_user(),
        }
        return _replaced(text, tokens)


def host_settings(
    host: str,
    *,
    user: str | None = None,
    port: int | None = None,
    default_user: str | None = None,  # where no file has one
    file: str | None = None,  # read instead of the user's and the system's
) -> HostSettings:
    """Return what ``ssh -l USER -p PORT -F FILE`` would take from its files for a host, or raise SshConfigError."""
    reading = _Reading(host, user, port, default_user)
    for is_final in (False, True):
        if reading.wants_final or not is_final:
            reading.is_final = is_final
            reading.read(Path(expanded(file or "~/.ssh/config")), is_users=True)
            if file is None:
                reading.read(SYSTEM, is_users=False)
    return reading.settings()


@dataclass
class _Reading:
    """The values found so far for one host."""

    host: str
    user: str | None
    port: int | None
    default_user: str | None
    found: dict[str, Line] = field(default_factory=dict)
    collected: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    is_final: bool = False
    wants_final: bool = False

    def read(self, path: Path, *, is_users: bool, active: bool = True, depth: int = 0) -> None:
        """Take from a file what holds for the host and is not known yet."""
        if depth > DEPTH:
            raise SshConfigError(f"{path}: too many files include each other")
        is_active = active
        for line in lines_of(str(path), _version_of(path)):
            if line.keyword == "host":
                is_active = active and is_in(self.host_name() if self.is_final else self.host, line.words)
            elif line.keyword == "match":
                is_active = self._matches(line, is_asked=active) and active
            elif line.keyword == "include":
                for included in _included_by(line, is_users=is_users):
                    self.read(included, is_users=is_users, active=is_active, depth=depth + 1)
            elif is_active and line.words:
                self._take(line)

    def _take(self, line: Line) -> None:
        is_second_way = line.keyword in WAYS and self.found.keys() & WAYS  # whichever comes first counts
        # The name is what it was when the last reading began, whether a file gave it or not.
        is_late_name = line.keyword == "hostname" and self.is_final
        if line.keyword in COLLECTED:
            self.collected[line.keyword].append(line.words[0])
        elif not (is_second_way or is_late_name):
            self.found.setdefault(line.keyword, line)

    def _matches(self, line: Line, *, is_asked: bool) -> bool:
        """Whether a ``Match`` line holds; its commands are not run where it cannot count."""
        holds, words = True, list(line.words)
        while words:
            word = words.pop(0)
            is_negated, name = word.startswith("!"), word.lstrip("!").lower()
            name, _, joined = name.partition("=")
            if name in ("all", "canonical", "final"):
                self.wants_final = self.wants_final or name == "final"
                answer = name == "all" or self.is_final
            else:
                value = word.partition("=")[2] if joined else (words.pop(0) if words else None)
                if value is None:
                    raise SshConfigError(f"{line.place}: Match {name} should have a value")
                answer = holds and is_asked and self._criterion(name, value)
            holds = holds and answer != is_negated
        return holds

    def _criterion(self, name: str, value: str) -> bool:
        if name == "exec":
            return bool(Invoke.run(self._expanded(value)).ok)
        asked = {
            "host": self.host_name().lower(),
            "originalhost": self.host,
            "user": self._remote_user(),
            "localuser": local_user(),
            "tagged": self._word("tag"),
            "sessiontype": "exec",
            "command": "",
        }
        return name in asked and is_in(asked[name], [pattern for pattern in value.split(",") if pattern])

    def _word(self, keyword: str, default: str = "") -> str:
        line = self.found.get(keyword)
        return line.words[0] if line is not None else default

    def _rest(self, keyword: str) -> str:
        line = self.found.get(keyword)
        return line.rest if line is not None and line.rest.lower() != NONE else ""

    def _words(self, keyword: str, default: Sequence[str]) -> tuple[str, ...]:
        line = self.found.get(keyword)
        names = line.words if line is not None else tuple(default)
        return () if names and names[0].lower() == NONE else names

    def host_name(self) -> str:
        name = self._word("hostname")
        return _replaced(name, {"%": "%", "h": self.host}) if name else self.host

    def _remote_user(self) -> str:
        return self.user or self._word("user") or self.default_user or local_user()

    def _port(self) -> int | None:
        return self.port if self.port is not None else self._number("port")

    def _number(self, keyword: str) -> int | None:
        line = self.found.get(keyword)
        if line is None or line.words[0].lower() == NONE:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", line.words[0]):
            raise SshConfigError(f"{line.place}: {line.words[0]!r} should be a number")
        return int(line.words[0])

    def _expanded(self, text: str) -> str:
        alias = self._word("hostkeyalias")
        known = HostSettings(self.host, self.host_name(), self._port(), self._remote_user(), host_key_alias=alias)
        return known.expand(text)

    def _path(self, text: str) -> str:
        return _with_variables(self._expanded(text))

    def _paths(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._path(name) for name in names if name.lower() != NONE))

    def _agent(self) -> str | None:
        value = self._word("identityagent", "SSH_AUTH_SOCK")
        if value.lower() == NONE:
            return ""
        if value == "SSH_AUTH_SOCK":
            return None
        if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
            return os.environ.get(value[1:], "")
        return self._path(value)

    def settings(self) -> HostSettings:
        revoked = self._word("revokedhostkeys", NONE)
        return HostSettings(
            alias=self.host,
            host_name=self.host_name(),
            port=self._port(),
            user=self.user or self._word("user") or self.default_user or None,
            identity_files=self._paths(self.collected["identityfile"]),
            certificate_files=self._paths(self.collected["certificatefile"]),
            identities_only=self._word("identitiesonly").lower() in ("yes", "true"),
            identity_agent=self._agent(),
            proxy_jump=tuple(hop.strip() for hop in self._rest("proxyjump").split(",") if hop.strip()),
            proxy_command=self._expanded(self._rest("proxycommand")),
            host_key_alias=self._word("hostkeyalias"),
            known_hosts=self._paths(self._words("userknownhostsfile", USER_KNOWN_HOSTS)),
            system_known_hosts=self._words("globalknownhostsfile", SYSTEM_KNOWN_HOSTS),
            revoked_host_keys="" if revoked.lower() == NONE else self._path(revoked),
            strict=self._word("stricthostkeychecking").lower(),
            connect_timeout=self._number("connecttimeout"),
            address_family=self._word("addressfamily", "any").lower(),
        )


def local_user() -> str:
    """Return the name of the user who runs this, as the machine has it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("USER", "")


def _replaced(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)
