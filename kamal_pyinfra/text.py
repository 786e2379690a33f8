"""Text from any source, made safe to print."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kamal_pyinfra.redactor import redacted

ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters that show nothing, or that show others in another order (Unicode: Default_Ignorable_Code_Point, Cf and the
line separators), but for variation selectors, which choose the form of a sign."""
DECEIVING = re.compile(f"[{INVISIBLE}]")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
UNSAFE_IN_JSON = re.compile(rf"(?!\n){CONTROL.pattern}|{DECEIVING.pattern}")
SELECTORS = "[\ufe00-\ufe0f]*"  # characters that comparisons of .NET, in which runners are written, ignore
COMMAND_AT_START = re.compile(rf"^([\s\ufe00-\ufe0f]*):(?={SELECTORS}:)", re.MULTILINE)
COMMAND_ANYWHERE = re.compile(rf"#(?={SELECTORS}#{SELECTORS}[\w.-]*{SELECTORS}\[)")
SECTION_AT_START = re.compile(r"^(?=(?:---|\+\+\+|~~~|\^\^\^)(?:\s|$))|^(?=section_(?:start|end):)", re.MULTILINE)
RUNNERS = ("CI", "GITHUB_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION", "GITLAB_CI", "BUILDKITE")
"""Variables that CI runners set; each runner obeys commands in the output of programs."""


def is_read_by_runner(environ: Mapping[str, str]) -> bool:
    """Whether a CI runner reads the output."""
    return any(environ.get(name) for name in RUNNERS)


def one_line(text: str) -> str:
    """The text made safe to print within a line, with line breaks spelled."""
    return sanitized(text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t"))


def sanitized(text: str) -> str:
    """The text without secrets, terminal commands and characters that would hide or reorder it."""
    text = CONTROL.sub("", ANSI.sub("", STRING.sub("", text)))
    return redacted(LONE_SURROGATE.sub("\ufffd", DECEIVING.sub("", text)))


def sanitized_json(text: str) -> str:
    """The same JSON without secrets, with terminal commands spelled as escapes."""
    return UNSAFE_IN_JSON.sub(lambda found: _spelled(ord(found[0])), redacted(text))


def _spelled(code: int) -> str:
    """A character as a JSON escape; those beyond 16 bits as two (RFC 8259, 7)."""
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def without_commands(text: str) -> str:
    """The text without commands to a CI runner.

    These are ``::command::`` at the start of a line and ``##[command]`` anywhere in one for GitHub Actions and its
    relatives (actions/runner, ActionCommand.cs), ``##vso[`` for Azure Pipelines, ``##teamcity[``, and the start of a
    section for GitLab and Buildkite.
    """
    text = COMMAND_ANYWHERE.sub("# ", COMMAND_AT_START.sub(r"\1: ", text))
    return SECTION_AT_START.sub(" ", text)
