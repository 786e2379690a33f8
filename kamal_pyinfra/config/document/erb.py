"""The forms of ERB that need no Ruby, and their values."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from kamal_pyinfra.config.git import answer

TAG = re.compile(r"(?P<literal><%%)|(?P<tag><%(?P<code>.*?)(?P<end>(?<!%)%>|\Z))", re.DOTALL)
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


@dataclass(frozen=True)
class Lookup:
    """A variable with its default, if there is one."""

    name: str
    default: str | None


@dataclass(frozen=True)
class FileText:
    """The text of a file of the project; ``way_out`` tells what to do if it cannot be read."""

    path: str
    is_trimmed: bool
    way_out: str


@dataclass(frozen=True)
class GitAnswer:
    """The output of a git command, or its first ``length`` characters."""

    arguments: tuple[str, ...]
    is_trimmed: bool
    length: int | None
    way_out: str


@dataclass(frozen=True)
class Constant:
    """Fixed text, such as that of a tag inside a word that prints nothing."""

    text: str


@dataclass(frozen=True)
class Refused:
    """A tag that is not understood; unless it is certain, it counts only as part of a value, not in a comment."""

    message: str
    line: int
    column: int
    is_certain: bool = True


Value = Lookup | FileText | GitAnswer | Constant
Tag = Value | Refused


@dataclass(frozen=True)
class Template:
    """A text with markers in place of its tags.

    ``lines`` has the source's line for each line of the text, since tags may contain line breaks.
    """

    text: str
    tags: tuple[Tag, ...]
    lines: tuple[int, ...] = ()
    problems: tuple[Refused, ...] = ()

    def line(self, number: int) -> int:
        """The source's line for a line of the text, counted from 1."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else number


@dataclass
class Reader:
    """Replace the tags of one source by markers."""

    source: str
    tags: list[Tag] = field(default_factory=list)
    problems: list[Refused] = field(default_factory=list)

    def replacement(self, found: re.Match[str]) -> str:
        """The text that replaces a tag while YAML is parsed."""
        if found["literal"]:
            return LITERAL
        if found["code"].startswith("="):
            return self.marker(self.value(found), found)
        if not found["code"].startswith("#") and not is_harmless(found):
            self.problems.append(self.refused(found, statement_complaint(found["code"])))
        return self.nothing(found)

    def value(self, found: re.Match[str]) -> Tag:
        """The value of a tag with ``=``."""
        value = value_of(found, Asked.at(self.source, found.start(), "kp deploy", knows_lists=True))
        return self.refused(found, value) if isinstance(value, str) else value

    def refused(self, found: re.Match[str], message: str) -> Refused:
        """A refused tag with its place; a ``#`` before it may make it a comment."""
        before = self.source[self.source.rfind("\n", 0, found.start()) + 1 : found.start()]
        place = line_and_column(self.source, found.start())
        return Refused(message, *place, is_certain=re.search(r"(?:\A|\s)#", before) is None)

    def nothing(self, found: re.Match[str]) -> str:
        """Blanks for a tag that prints nothing, but none inside a word or at the end of a line."""
        before, after = self.source[: found.start()][-1:], self.source[found.end() :][:1]
        if before.strip(" \n[{,:") and after.strip(" \n]},:"):
            return self.marker(Constant(""), found)
        rest = self.source[found.end() :].partition("\n")[0]
        return " " * len(found[0].partition("\n")[0]) if rest.strip() else ""

    def marker(self, tag: Tag, found: re.Match[str]) -> str:
        """The next marker, as wide as the tag is on its first line."""
        self.tags.append(tag)
        width = len(found[0].partition("\n")[0])
        return f"\ue000{len(self.tags) - 1}".ljust(width - 1, "\ue001") + "\ue002"


def read_template(source: str) -> Template:
    """Replace each tag by a marker, or by nothing if it prints nothing."""
    reader = Reader(source)
    text = TAG.sub(reader.replacement, source)
    return Template(text, tuple(reader.tags), source_lines(source), tuple(reader.problems))


def source_lines(source: str) -> tuple[int, ...]:
    """The source's line at which each line begins once line breaks in tags are gone."""
    inside = [found[0].count("\n") for found in TAG.finditer(source)]
    if not any(inside):
        return ()
    kept = TAG.sub(lambda found: "\0" * found[0].count("\n"), source).split("\n")
    return tuple(accumulate((1 + line.count("\0") for line in kept[:-1]), initial=1))


@dataclass(frozen=True)
class Asked:
    """The line around a tag, from which a value gets its name.

    Args:
        key: the name before ``:`` or ``=``; empty for none.
        is_whole: whether nothing else stands on the line.
        command: the command of kp that needs the value.
        knows_lists: whether the value may be a list of one variable's name, as the registry's password.
    """

    key: str
    is_whole: bool
    command: str
    knows_lists: bool = False

    @classmethod
    def at(cls, source: str, offset: int, command: str, *, knows_lists: bool = False) -> Asked:
        """The line around an offset; an item of a list is named like the list."""
        start = source.rfind("\n", 0, offset) + 1
        before = source[start:offset]
        keys = list((KEY if knows_lists else NAME).finditer(before))
        if keys:
            return cls(keys[-1][1], keys[-1].end() == len(before), command, knows_lists)
        above = re.findall(r"^\s*([A-Za-z_][\w.-]*):[ \t]*$", source[:start], re.MULTILINE | re.ASCII)
        is_item = ITEM.fullmatch(before) is not None
        return cls(above[-1] if above and is_item else "", is_item, command, knows_lists)

    def variable(self, program: str = "") -> str:
        """A name for a variable with the value."""
        if self.key in CREDENTIALS:
            known = (name for start, name in NAMES.items() if program.startswith(start))
            return next(known, CREDENTIALS[self.key]) if self.key == "password" else CREDENTIALS[self.key]
        return re.sub(r"\W", "_", self.key.upper(), flags=re.ASCII).strip("_") or "VALUE"

    def way_out(self, program: str = "") -> str:
        """Advice on what to write instead, and how to set the variable."""
        name = self.variable(program)
        written = f"<%= ENV[{name!r}] %>".replace("'", '"')
        if self.knows_lists and self.is_whole and self.key in CREDENTIALS:
            written = f"{self.key}: [{name}]"
        if program and len(program) <= LONGEST_SHOWN and program.isprintable() and "#{" not in program:
            return f"write `{written}` and run `{name}=$({program}) {self.command}`"
        return f"write `{written}` and set {name} before kp starts"


def value_of(found: re.Match[str], asked: Asked) -> Value | str:
    """The value of a tag with ``=``, or what is wrong with it."""
    if not found["end"]:
        return "this tag of ERB has no end: write %>"
    code = re.sub(r"\A=|-\Z", "", found["code"]).strip()
    known = ENV.fullmatch(code)
    if known:
        return Lookup(known["name1"] or known["name2"], known["default"])
    file = FILE.fullmatch(code)
    if file:
        path = file["path"]
        return FileText(path, bool(file["trims"]), asked.way_out(f'cat "{path}"'))
    command = COMMAND.fullmatch(code)
    if command:
        return command_value(command, asked)
    return f"this ERB is not understood: Ruby is not run here, {UNDERSTOOD}; {asked.way_out()}"


def command_value(command: re.Match[str], asked: Asked) -> Value | str:
    """The value of a git command; for any other command, which variable to set."""
    program = " ".join(next((text for text in command.groups()[:4] if text is not None), "").split())
    after = AFTER_COMMAND.fullmatch(command[5].strip())
    if after and GIT.fullmatch(program):
        count = after["count"] or after["first"]
        length = int(count) + (after["dots"] == "..") if count else None
        words = re.sub(r" 2> ?/dev/null|[\"']", "", program).split()[1:]
        return GitAnswer(tuple(words), bool(after["trims"] + after["trims2"]), length, asked.way_out(program))
    way_out = asked.way_out(program if after else "")
    return f"this ERB is not understood: commands are not run here; {way_out}"


def is_harmless(found: re.Match[str]) -> bool:
    """Whether a tag without ``=`` can be ignored."""
    statements = re.split(r"[;\n]", re.sub(r"\A-|-\Z", "", found["code"]))
    return bool(found["end"]) and all(HARMLESS.fullmatch(each.strip()) for each in statements)


def statement_complaint(code: str) -> str:
    """Why a tag without ``=`` is refused."""
    if re.match(r"-?\s*Dotenv\.", code):
        return (
            "this ERB is not understood: Ruby is not run here; kp reads .env, and .env.DESTINATION with -d, by itself: "
            "take the tag out, and put variables of other files into one of these"
        )
    return (
        f"this ERB is not understood: Ruby is not run here, {UNDERSTOOD}; take the tag out, and let a variable or the "
        "file of a destination (deploy.NAME.yml, with -d) make the difference"
    )


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, counted from 1."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


MOST_BYTES = 100_000
"""No command line takes more."""


class Unanswered(Exception):
    """A tag without a value; the text says why and what to do."""


@dataclass(frozen=True)
class Values:
    """Values of tags, from variables, from files inside ``root`` alone, and from git, whose ``answers`` are kept."""

    environ: Mapping[str, str]
    root: Path
    answers: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, tag: Value) -> str:
        """The value of a tag; raise :class:`Unanswered` if it has none."""
        if isinstance(tag, Lookup):
            return self.variable(tag)
        if isinstance(tag, FileText):
            return self.file(tag)
        return tag.text if isinstance(tag, Constant) else self.git(tag)

    def variable(self, lookup: Lookup) -> str:
        """The value of a variable, or its default."""
        found = self.environ.get(lookup.name, lookup.default)
        if found is None:
            raise Unanswered(f"{lookup.name} is not set; add it to .env or export it")
        return found

    def file(self, asked: FileText) -> str:
        """The text of a file inside the project's folder."""
        try:
            text = self.read(asked.path, asked.way_out)
        except OSError as error:
            raise Unanswered(f"{asked.path} cannot be read: {error.strerror}; {asked.way_out}") from None
        return text.strip() if asked.is_trimmed else text

    def read(self, name: str, way_out: str) -> str:
        """The text of a file by its name."""
        root, path = (Path(os.path.realpath(each)) for each in (self.root, self.root / name))  # also of links in a ring
        if Path(name).is_absolute() or not path.is_relative_to(root):
            raise Unanswered(f"{name} is outside the project's folder and is not read; {way_out}")
        if not path.exists():
            raise Unanswered(f"{name} does not exist; add the file, or {way_out}")
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unanswered(f"{name} is no file that can be read; {way_out}")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise Unanswered(f"{name} is larger than {MOST_BYTES // 1000} kB, which no value may be; {way_out}")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise Unanswered(f"{name} is not text; {way_out}")
        return text

    def git(self, asked: GitAnswer) -> str:
        """The output of a git command in the project's folder."""
        if asked.arguments not in self.answers:
            said = answer(self.root, *asked.arguments)
            if said.error is not None:
                raise Unanswered(f"git failed ({said.error}); {asked.way_out}")
            self.answers[asked.arguments] = said.text
        text = self.answers[asked.arguments]
        return text[: asked.length] if asked.is_trimmed or asked.length is not None else f"{text}\n"
