"""How a command crosses the SSH user's login shell, whichever that is.

sshd hands the text of a command to the user's own shell. Within single quotes fish takes a backslash for an escape,
csh takes ``!`` for history and no line break; outside them they agree on little. So what the login shell sees is one
call of ``sh`` whose words hold neither of these: the script travels as base64.
"""

from __future__ import annotations

import base64
import gzip
import re

CHUNK = 512  # characters of a word; csh takes none of more than 1,023
COMPRESSED = 48 * 1024
"""Characters of a script from which on it is compressed, since Linux takes no argument of more than 128 KiB and base64
adds a third (``execve(2)``, MAX_ARG_STRLEN)."""
DIFFERENT = re.compile(r"[\\\n]|!(?! )")  # what shells read differently in single quotes
DECODERS = ("base64 -d", "openssl base64 -d -A")
ALL_WORDS = 'printf %s "$@"'
MISSING = "{ echo neither base64 nor openssl is installed>&2;exit 127;}"


def sheltered(script: str, *, start: str = "", end: str = "") -> str:
    """A command for any login shell, byte for byte what ``sh`` is to run; standard input is the script's own.

    Each stream gets a line with the mark ``start`` before the script's first, and standard output the mark ``end``
    after its last. Every shell makes the same of the words: plain ones, and quoted ones without quote, backslash, ``!``
    or line break.
    """
    data, unpack = script.encode(), ""
    if len(data) > COMPRESSED:
        data, unpack = gzip.compress(data, mtime=0), "|gzip -d 2>/dev/null"
    text = base64.b64encode(data).decode()
    before = f"echo {start};echo {start}>&2;" if start else ""
    after = f";c=$?;echo {end};exit $c" if end else ""
    bootstrap = f'{before}{_decoded(ALL_WORDS, unpack)};set --;eval "$s"{after}'
    chunks = (f"'{text[at : at + CHUNK]}'" for at in range(0, len(text), CHUNK))
    return " ".join((f"sh -c '{bootstrap}' sh", *chunks))


def plain(script: str) -> str:
    """The script as text for the single quotes of pyinfra's commands; as it is where all shells read it alike there."""
    if not DIFFERENT.search(script):
        return script
    text = base64.b64encode(script.encode()).decode()
    return f'{_decoded(f"echo {text}")};eval "$s"'


def _decoded(source: str, unpack: str = "") -> str:
    attempts = (f"s=$({source}|{decoder} 2>/dev/null{unpack})" for decoder in DECODERS)
    return "||".join((*attempts, MISSING))
