"""What reads text from elsewhere, each as one function of bytes that may end only in the ways its contract names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.config.document.source import load_environment
from kamal_pyinfra.config.secrets import redacted_dict
from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.facts.snapshot import SnapshotError, parse_snapshot
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.plan.output.file import parse_plan_file, plan_file, require_same_plan, require_unchanged
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import ObservedHost
from tests.conftest import LEAST, SECRETS, a_run
from tests.plan.hosts import HOST, deployed

FIXTURES = Path(__file__).parent.parent / "fixtures"
NEXT_FILE = b"\n=== next file ===\n"
FILE_PLACE = re.compile(r"(config/deploy(\.x)?\.yml|\.env(\.x)?):[1-9]\d*:[1-9]\d* .*\S")
TERMINAL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Target:
    """One reader of text.

    Args:
        read: ends without an error for every input.
        seeds: valid inputs to start from.
        words: pieces that mean something to the reader.
    """

    read: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...]


def read_config(data: bytes) -> None:
    """deploy.yml, the file of a destination and .env, in the working directory: a plan, or located lines."""
    main, other, env = (*data.split(NEXT_FILE), b"", b"")[:3]
    Path("config").mkdir(exist_ok=True)
    Path("config/deploy.yml").write_bytes(main)
    Path("config/deploy.x.yml").write_bytes(other)
    Path(".env").write_bytes(env)
    try:
        config = load_config(destination="x" if other else None, environ=SECRETS)
    except ConfigError as error:
        require_lines(error.problems, FILE_PLACE)
        return
    json.dumps(redacted_dict(config))
    plan_for(config, {server.host: ObservedHost(host=server.host) for server in config.role_hosts})


def read_env(data: bytes) -> None:
    """.env: values, or located lines that do not say what is in it."""
    Path(".env").write_bytes(data)
    values, problems = load_environment({"A": "b"}, Path.cwd(), None)
    require_lines([str(problem) for problem in problems], FILE_PLACE)
    if not all(isinstance(name, str) and isinstance(value, str) for name, value in values.items()):
        raise AssertionError(dict(values))


def read_snapshot(data: bytes) -> None:
    """What a host says of itself: a host that a plan can be made for, or one line that says what cannot be read."""
    try:
        seen = parse_snapshot(HOST, data.decode(errors="surrogateescape").split("\n"))
    except SnapshotError as error:
        require_lines(
            [str(error)],
            re.compile(r"the snapshot (is cut short|cannot be read: (line \d+, [a-z-]+: \S|no line is about Docker))"),
        )
        return
    plan_for(known_config(), {HOST: seen})


def read_plan_file(data: bytes) -> None:
    """plan.json: a plan that is carried out only if it is today's, or one line that names the place in the file."""
    run, seen = a_run(known_config()), deployed(known_config(), "v1")
    try:
        file = parse_plan_file(data.decode(errors="replace"), "plan.json")
    except ConfigError as error:
        require_lines(error.problems, re.compile(r"plan\.json: \S"))
        return
    for require in (lambda: require_unchanged(file, {HOST: seen}), lambda: require_same_plan(file, run, {HOST: seen})):
        try:
            require()
        except PlanRefused as refusal:
            require_lines(str(refusal).split("\n"), re.compile(r"\S|  \S"))


def plan_for(config: Config, fleet: Mapping[str, ObservedHost]) -> None:
    """A plan as text and JSON, or a refusal."""
    try:
        plan = make_plan(a_run(config), fleet)
    except (ConfigError, PlanRefused):
        return
    require_lines(render_text(plan).split("\n"), re.compile(""))
    plan_document(plan).model_dump_json()


def require_lines(lines: tuple[str, ...] | list[str], form: re.Pattern[str]) -> None:
    """Make sure that there are lines, each of the form and safe on a terminal."""
    wrong = [line for line in lines if not form.match(line) or TERMINAL.search(line)]
    if wrong:
        raise AssertionError(wrong)


SECTIONS = {"asset_path": "/app/public", "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]}}


@cache
def known_config() -> Config:
    """A configuration that hosts and plan files are read for."""
    Path("config").mkdir(exist_ok=True)
    Path("config/known.yml").write_text(yaml.safe_dump(LEAST | SECTIONS))
    return load_config("config/known.yml", environ=SECRETS)


def configs() -> list[bytes]:
    """Every configuration among the fixtures, some with a destination and variables."""
    files = [path.read_bytes() for path in sorted(FIXTURES.glob("deploy_*.yml"))]
    return [*files, NEXT_FILE.join([files[0], b"env:\n  clear:\n    A: ${B}\n", b"B='c'\n"])]


def env_files() -> list[bytes]:
    """Every form that a line may have."""
    return [
        b"A=1\nexport B='two $A'\nC=\"three ${A}\\n\"\n# no\n\nD=\nE = spaced # not this\n",
        b'\xef\xbb\xbfKEY="-----BEGIN-----\nline\n"\r\nX=`y`\nZ=\'it\'"s"\n',
    ]


def snapshots() -> list[bytes]:
    """What real hosts said, and a host with every kind of line."""
    real = [path.read_bytes() for path in sorted((FIXTURES / "docker").glob("snapshot_*.txt"))]
    files = b"secrets abc 12\ncheck 7 TOP_SECRET abc\nfile-check 7 A .kamal/env/x\nfile 9 600 .kamal/env/x\n"
    rest = b'edited traefik /etc/x\nupload 9 600 a\ncord tied .kamal/c\nrecord {"format_version":1}\nlock QQ==\nlogin\n'
    return [*real, b"user root\nhome /root\ndocker 26.1\n" + files + rest + b"end\n", b"docker-missing\nend"]


def plan_files() -> list[bytes]:
    """A plan of a deploy."""
    run, seen = a_run(known_config()), deployed(known_config(), "v1")
    return [plan_file(run, make_plan(run, {HOST: seen}), {HOST: seen}).model_dump_json(indent=1).encode()]


JSON = (b"null", b"{", b"}", b"[", b"]", b'"', b"1e999", b"-1", b'"\\ud800"', b"NaN", b"[" * 2000, b"9" * 5000)
YAML = (b"&a ", b"*a", b"<<: ", b"- ", b": ", b"? ", b"| ", b"!!binary ", b"---\n", b"\t", b"${A}", b'<%= ENV["A"] %>')
TARGETS = {
    "config": Target(read_config, configs, (*YAML, NEXT_FILE, *(name.encode() for name in Config.model_fields))),
    "env": Target(read_env, env_files, (b"export ", b"$(", b"${A}", b"'", b'"', b"\\", b"=", b"\r", b"#", b"$A")),
    "snapshot": Target(read_snapshot, snapshots, (*JSON, b"\nend", b"container ", b"image ", b"record ", b" ")),
    "plan-file": Target(read_plan_file, plan_files, JSON),
}
