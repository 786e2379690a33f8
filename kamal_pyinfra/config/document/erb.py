"""The forms of ERB that need no Ruby: their values, and templates in which they are replaced."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from kamal_pyinfra.config.document.tree import Position, Problem
from kamal_pyinfra.config.git import answer
from kamal_pyinfra.errors import ConfigError

TAG = re.compile(r"(?P<literal><%%)|(?P<tag><%(?P<code>.*?)(?P<end>(?<!%)%>|\Z))", re.DOTALL)
TEXT_TAG = re.compile(
    r"(?P<literal><%%)|(?P<indent>^[ \t]*)?(?P<tag><%(?P<code>.*?)(?P<end>(?<!%)%>|\Z))(?P<line_end>\n?)",
    re.DOTALL | re.MULTILINE,
)
MARKER = re.compile("\ue000([0-9]+)\ue001*\ue002")
LITERAL = "\ue003\ue001\ue001"
"""Replaces ``<%``, written ``<%%``."""
QUOTED = r"""(?P<{0}q>["'])(?P<{0}>[^"'\\\n#]*)(?P={0}q)"""
TRIMS = r"(?P<trims>(?:\.(?:strip|chomp|rstrip|to_s)(?:\(\))?)*)"
SLICE = r"(?:\[\s*0\s*(?P<dots>,|\.\.\.?)\s*(?P<count>[0-9]{1,3})\s*\])?(?:\.first\((?P<first>[0-9]{1,3})\))?"
ENV = re.compile(
    r"""ENV(?:
        \[\s*(?P<q1>["'])(?P<name1>\w+)(?P=q1)\s*\]
        |\.fetch\(\s*(?P<q2>["'])(?P<name2>\w+)(?P=q2)\s*(?:,\s*(?P<q3>["'])(?P<default>[^"'\\\n]*)(?P=q3)\s*)?\)
    )""",
    re.VERBOSE | re.ASCII,
)
FILE = re.compile(rf"(?:File|IO)\.read\(?\s*{QUOTED.format('path')}\s*\)?{TRIMS}")
COMMAND = re.compile(r"(?:`([^`]*)`|%x(?:\(([^()]*)\)|\[([^\[\]]*)\]|\{([^{}]*)\}))(.*)", re.DOTALL)
AFTER_COMMAND = re.compile(TRIMS + SLICE + r"(?P<trims2>(?:\.(?:strip|chomp))*)")
GIT = re.compile(
    r"git (?:"
    r"rev-parse (?:--verify )?(?:--short(?:=[0-9]{1,2})? |--abbrev-ref )?(?:--verify )?HEAD"
    r"|describe(?: --(?:tags|always|long|dirty|abbrev=[0-9]{1,2}))*(?: HEAD)?"
    r"|log -(?:1|n ?1) --(?:format|pretty)=(?:format:)?[\"']?%[hH][\"']?"
    r"|branch --show-current"
    r")(?: 2> ?/dev/null)?"
)
HARMLESS = re.compile(
    r"""(?:require[ (]\s*["'][\w/-]+["']\s*\)?|Dotenv\.load(?:\(\s*\)|[ (]\s*["']\.env["']\s*\)?)?|\#.*)?""", re.ASCII
)
"""Statements that print nothing and are not needed: ``.env`` is read anyway, by Kamal 1.9 too."""
UNDERSTOOD = (
    'only <%= ENV["NAME"] %>, <%= ENV.fetch("NAME", "default") %>, <%= File.read("FILE") %> and '
    "<%= `git rev-parse HEAD` %> are replaced"
)
NAMES = {
    "aws ecr": "ECR_PASSWORD",
    "gcloud": "GCLOUD_PASSWORD",
    "az acr": "ACR_PASSWORD",
    "doctl": "DOCR_PASSWORD",
    "ibmcloud": "ICR_PASSWORD",
    "scw": "SCW_PASSWORD",
}
"""Names for a registry's password, by the command that prints it."""
KEY = re.compile(r"""(?:^\s*(?:-\s+)*|[{,]\s*)["']?([A-Za-z_][\w.-]*)["']?:\s+["']?""", re.ASCII)
NAME = re.compile(r"""^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(?:=|:\s)\s*["']?""", re.ASCII)
ITEM = re.compile(r"""\s*(?:-\s*)+["']?|.*[\[,]\s*["']?""")
CREDENTIALS = {"username": "REGISTRY_USERNAME", "password": "REGISTRY_PASSWORD"}
LONGEST_SHOWN = 200
MOST_BYTES = 100_000
"""No command line takes more."""
OTHER_FILE = " or the file of a destination (deploy.NAME.yml, with -d)"


class Lookup(NamedTuple):
    """A variable with its default, if there is one; without a name, fixed text."""

    name: str
    default: str | None


class FileText(NamedTuple):
    """The text of a file of the project; ``way_out`` is what to do if it cannot be read."""

    path: str
    is_trimmed: bool
    way_out: str


class GitAnswer(NamedTuple):
    """The output of a git command, or its first ``length`` characters."""

    arguments: tuple[str, ...]
    is_trimmed: bool
    length: int | None
    way_out: str


class Refused(NamedTuple):
    """A tag that is not understood; unless it is certain, it counts only as part of a value, not in a comment."""

    message: str
    line: int
    column: int
    is_certain: bool = True


Value = Lookup | FileText | GitAnswer
Tag = Value | Refused


@dataclass
class Template:
    """A source whose ``text`` has a marker in place of each tag, or nothing for a tag that prints nothing."""

    source: str
    text: str = ""
    tags: list[Tag] = field(default_factory=list)
    problems: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = TAG.sub(self.replacement, self.source)

    def line(self, number: int) -> int:
        """The source's line for a line of the text, counted from 1."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else number

    @cached_property
    def _lines(self) -> tuple[int, ...]:
        kept = TAG.sub(lambda found: "\0" * found[0].count("\n"), self.source).split("\n")
        return tuple(accumulate((1 + line.count("\0") for line in kept[:-1]), initial=1))

    def replacement(self, found: re.Match[str]) -> str:
        """The text that replaces a tag while YAML is parsed: blanks for a tag that prints nothing."""
        code, end = found["code"], self.source[found.end() :]
        if found["literal"]:
            return LITERAL
        if code.startswith("="):
            value = value_of(found, Context.at(self.source, found.start(), "kp deploy", knows_lists=True))
            return self.marker(self.refused(found, value) if isinstance(value, str) else value, found)
        if not code.startswith("#") and not is_harmless(found):
            self.problems.append(self.refused(found, statement_complaint(code, OTHER_FILE)))
        before, after = self.source[: found.start()][-1:], end[:1]
        if before.strip(" \n[{,:") and after.strip(" \n]},:"):  # no blanks inside a word
            return self.marker(Lookup("", ""), found)
        return " " * len(found[0].partition("\n")[0]) if end.partition("\n")[0].strip() else ""

    def refused(self, found: re.Match[str], message: str) -> Refused:
        """A refused tag with its place; a ``#`` before it may make it a comment."""
        before = self.source[self.source.rfind("\n", 0, found.start()) + 1 : found.start()]
        place = line_and_column(self.source, found.start())
        return Refused(message, *place, is_certain=re.search(r"(?:\A|\s)#", before) is None)

    def marker(self, tag: Tag, found: re.Match[str]) -> str:
        """The next marker, as wide as the tag is on its first line."""
        self.tags.append(tag)
        width = len(found[0].partition("\n")[0])
        return f"\ue000{len(self.tags) - 1}".ljust(width - 1, "\ue001") + "\ue002"


@dataclass(frozen=True)
class Context:
    """The line around a tag, from which a value gets its name."""

    key: str  # the name before ``:`` or ``=``; empty for none
    is_whole: bool  # whether nothing else stands on the line
    command: str  # the command of kp that needs the value
    knows_lists: bool = False  # whether the value may be a list of one variable's name, as the registry's password

    @classmethod
    def at(cls, source: str, offset: int, command: str, *, knows_lists: bool = False) -> Context:
        """The line around an offset; an item of a list is named like the list."""
        start = source.rfind("\n", 0, offset) + 1
        before = source[start:offset]
        keys = list((KEY if knows_lists else NAME).finditer(before))
        if keys:
            nth = before.count("<%=", keys[-1].end()) + 1  # each tag of a value needs a variable of its own
            key = keys[-1][1] if nth == 1 else f"{keys[-1][1]}_{nth}"
            return cls(key, keys[-1].end() == len(before), command, knows_lists)
        above = re.findall(r"^\s*([A-Za-z_][\w.-]*):[ \t]*$", source[:start], re.MULTILINE | re.ASCII)
        is_item = ITEM.fullmatch(before) is not None
        return cls(above[-1] if above and is_item else "", is_item, command, knows_lists)

    def way_out(self, program: str = "") -> str:
        """Advice on what to write instead, and how to set the variable."""
        name = re.sub(r"\W", "_", self.key.upper(), flags=re.ASCII).strip("_") or "VALUE"
        if self.key in CREDENTIALS:
            known = (variable for start, variable in NAMES.items() if program.startswith(start))
            name = next(known, CREDENTIALS[self.key]) if self.key == "password" else CREDENTIALS[self.key]
        written = f'<%= ENV["{name}"] %>'
        if self.knows_lists and self.is_whole and self.key in CREDENTIALS:
            written = f"{self.key}: [{name}]"
        if program and len(program) <= LONGEST_SHOWN and program.isprintable() and "#{" not in program:
            return f"write `{written}` and run `{name}=$({program}) {self.command}`"
        return f"write `{written}` and set {name} before kp starts"


def value_of(found: re.Match[str], context: Context) -> Value | str:
    """The value of a tag with ``=``, or what is wrong with it."""
    if not found["end"]:
        return "this tag of ERB has no end: write %>"
    code = re.sub(r"\A=|-\Z", "", found["code"]).strip()
    if known := ENV.fullmatch(code):
        return Lookup(known["name1"] or known["name2"], known["default"])
    if file := FILE.fullmatch(code):
        return FileText(file["path"], bool(file["trims"]), context.way_out(f'cat "{file["path"]}"'))
    command = COMMAND.fullmatch(code)
    if command is None:
        return f"this ERB is not understood: Ruby is not run here, {UNDERSTOOD}; {context.way_out()}"
    program = " ".join(next((text for text in command.groups()[:4] if text is not None), "").split())
    after = AFTER_COMMAND.fullmatch(command[5].strip())
    if after and GIT.fullmatch(program):
        count = after["count"] or after["first"]
        length = int(count) + (after["dots"] == "..") if count else None
        words = re.sub(r" 2> ?/dev/null|[\"']", "", program).split()[1:]
        return GitAnswer(tuple(words), bool(after["trims"] + after["trims2"]), length, context.way_out(program))
    way_out = context.way_out(program if after else "")
    return f"this ERB is not understood: commands are not run here; {way_out}"


def is_harmless(found: re.Match[str]) -> bool:
    """Whether a tag without ``=`` can be ignored."""
    statements = re.split(r"[;\n]", re.sub(r"\A-|-\Z", "", found["code"]))
    return bool(found["end"]) and all(HARMLESS.fullmatch(each.strip()) for each in statements)


def statement_complaint(code: str, otherwise: str) -> str:
    """Why a tag without ``=`` is refused; ``otherwise`` is what else than a variable can make a difference."""
    if re.match(r"-?\s*Dotenv\.", code):
        return (
            "this ERB is not understood: Ruby is not run here; kp reads .env, and .env.DESTINATION with -d, by itself: "
            "take the tag out, and put variables of other files into one of these"
        )
    return (
        f"this ERB is not understood: Ruby is not run here, {UNDERSTOOD}; take the tag out, and let a variable"
        f"{otherwise} make the difference"
    )


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, counted from 1."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


class Unanswered(Exception):
    """A tag without a value; the text has the reason and what to do."""


@dataclass(frozen=True)
class Values:
    """Values of tags, from variables, from files inside ``root`` alone, and from git, whose ``answers`` are kept."""

    environ: Mapping[str, str]
    root: Path
    answers: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, tag: Value) -> str:
        """The value of a tag; raise :class:`Unanswered` if it has none."""
        if isinstance(tag, FileText):
            text = self._file(tag)
            return text.strip() if tag.is_trimmed else text
        if isinstance(tag, GitAnswer):
            return self._git(tag)
        found = self.environ.get(tag.name, tag.default)
        if found is None:
            raise Unanswered(f"{tag.name} is not set; add it to .env or export it")
        return found

    def _file(self, tag: FileText) -> str:
        """The text of a file inside the project's folder."""
        name, way_out = tag.path, tag.way_out
        try:
            root, path = (Path(os.path.realpath(each)) for each in (self.root, self.root / name))  # also of link rings
            if Path(name).is_absolute() or not path.is_relative_to(root):
                raise Unanswered(f"{name} is outside the project's folder and is not read; {way_out}")
            if not path.exists():
                raise Unanswered(f"{name} does not exist; add the file, or {way_out}")
            if not stat.S_ISREG(path.stat().st_mode):
                raise Unanswered(f"{name} is no file that can be read; {way_out}")
            with path.open("rb") as stream:
                content = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise Unanswered(f"{name} cannot be read: {error.strerror}; {way_out}") from None
        if len(content) > MOST_BYTES:
            raise Unanswered(f"{name} is larger than {MOST_BYTES // 1000} kB, which no value may be; {way_out}")
        text = content.decode(errors="replace")
        if "\0" in text or text.encode() != content:
            raise Unanswered(f"{name} is not text; {way_out}")
        return text

    def _git(self, tag: GitAnswer) -> str:
        """The output of a git command in the project's folder."""
        if tag.arguments not in self.answers:
            found = answer(self.root, *tag.arguments)
            if found.error is not None:
                raise Unanswered(f"git failed ({found.error}); {tag.way_out}")
            self.answers[tag.arguments] = found.text
        text = self.answers[tag.arguments]
        return text[: tag.length] if tag.is_trimmed or tag.length is not None else f"{text}\n"


@dataclass
class Renderer:
    """Replace the tags of a text for ``command`` of kp; ``has_comments`` leaves those on lines with ``#`` alone."""

    source: str
    path: Path
    values: Values
    command: str = "kp envify"
    has_comments: bool = True
    problems: list[Problem] = field(default_factory=list)

    def text(self) -> str:
        """The text with every tag replaced; a ConfigError has a line for each tag without a value."""
        text = TEXT_TAG.sub(self.replacement, self.source)
        if self.problems:
            raise ConfigError(*map(str, self.problems))
        return text

    def replacement(self, found: re.Match[str]) -> str:
        """The text that replaces a tag."""
        if found["literal"]:
            return "<%"
        code, start = found["code"], found.start("tag")
        is_note, line = code.startswith("#"), self.source[self.source.rfind("\n", 0, start) + 1 : start]
        if self.has_comments and not is_note and line.lstrip().startswith("#"):
            return found[0]
        indent = "" if code.startswith("-") else found["indent"] or ""
        end = "" if code.endswith("-") else found["line_end"]
        if code.startswith("="):
            return indent + self.value(found) + end
        if not is_note and not is_harmless(found):
            self.complain(found, statement_complaint(code, ""))
        return indent + end

    def value(self, found: re.Match[str]) -> str:
        """The value of a tag with ``=``; empty, with a problem, if it is unknown."""
        tag = value_of(found, Context.at(self.source, found.start("tag"), self.command))
        try:
            if not isinstance(tag, str):
                return self.values.of(tag)
            self.complain(found, tag)
        except Unanswered as error:
            message = str(error)
            if isinstance(tag, Lookup):  # an old ``.env`` does not count
                way_out = f'export it, or write <%= ENV.fetch("{tag.name}", "") %> if it may be empty'
                message = f"{tag.name} is not set; {way_out}"
            self.complain(found, message)
        return ""

    def complain(self, found: re.Match[str], message: str) -> None:
        """Record a problem of a tag."""
        place = Position(str(self.path), *line_and_column(self.source, found.start("tag")))
        self.problems.append(Problem(place, "", message))
