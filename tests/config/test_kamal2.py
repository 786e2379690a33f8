"""Files of Kamal 2: one line, in every command, without wrong hints; and no other file is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.cli.main import COMMANDS, kp
from kamal_pyinfra.config.load import require_kamal_1
from kamal_pyinfra.errors import ConfigError
from tests.config.conftest import FIXTURES, Load, Problems

RAILS_8 = """
service: shop
image: acme/shop
servers:
  web:
    - 192.0.2.10
proxy:
  ssl: true
  host: shop.example.com
registry:
  username: acme
  password:
    - KAMAL_REGISTRY_PASSWORD
env:
  secret:
    - RAILS_MASTER_KEY
aliases:
  console: app exec --interactive --reuse "bin/rails console"
builder:
  arch: amd64
"""
PROXY = "labels of Traefik and `healthcheck` for `proxy`"
ARCH = "`builder: {local: {arch: ARCH}}` for `builder.arch`"


def line(names: str, *instead: str, beside: str = "") -> str:
    write = f": write {', '.join(instead)}" if instead else ""
    return f"this is a configuration of Kamal 2 ({names}){beside}; kp reads Kamal 1.9's{write}"


def test_the_file_that_rails_8_writes_is_one_line(project: Path, problems: Problems) -> None:
    names = ("proxy, aliases, builder.arch", PROXY, "nothing for `aliases`", ARCH)
    assert problems(text=RAILS_8) == f"7:1 {line(*names)}"
    (project / ".kamal").mkdir()
    (project / ".kamal/secrets-common").touch()
    whole = line(names[0] + ", .kamal/secrets", *names[1:], "`.env` for `.kamal/secrets`")
    assert problems(text=RAILS_8 + "wat: <%= 1 %>\n") == f"7:1 {whole}"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"aliases": "{}"}, "5:1 " + line("aliases", "nothing for `aliases`")),
        ({"builder": "{arch: [amd64, arm64]}"}, "5:11 " + line("builder.arch", ARCH)),
        (
            {"builder": "{arch: amd64, remote: 'ssh://x'}"},
            "5:11 "
            + line(
                "builder.arch, builder.remote",
                ARCH,
                "`builder: {remote: {arch: ARCH, host: ssh://…}}` for `builder.remote`",
            ),
        ),
        (
            {"builder": "{local: false}"},
            "5:11 " + line("builder.local", "`builder: {multiarch: false}` for `builder.local`"),
        ),
        ({"servers": "{web: {hosts: [a], proxy: true}}"}, "4:29 " + line("servers.web.proxy", PROXY)),
        ({"accessories": "{db: {image: a, host: a, proxy: {}}}"}, "5:39 " + line("accessories.db.proxy", PROXY)),
        ({"boot": "{parallel_roles: true}"}, "5:8 " + line("boot.parallel_roles")),
        ({"proxy": "{}", "traefik": "{}"}, "5:1 " + line("proxy", PROXY, beside=" beside keys of Kamal 1.9 (traefik)")),
    ],
)
def test_every_key_that_only_kamal_2_has_tells_its_files(
    problems: Problems, keys: dict[str, str], expected: str
) -> None:
    assert problems(**keys) == expected


def test_the_file_of_a_destination_may_be_the_one(problems: Problems) -> None:
    assert problems(staging="proxy: {host: x}\n") == f"config/deploy.staging.yml:1:1 {line('proxy', PROXY)}"


def test_files_of_kamal_1_are_never_taken_for_it(project: Path, load: Load) -> None:
    (project / ".kamal").mkdir()
    (project / ".kamal/secrets").touch()
    for path in sorted(FIXTURES.glob("deploy_*.yml")):
        require_kamal_1(path, project)
    labels = "{proxy: a, aliases: b, arch: c}"
    assert load(labels=labels, env=f"{{clear: {labels}}}", builder=f"{{args: {labels}}}").labels["arch"] == "c"


@pytest.mark.parametrize(
    "words",
    [
        *(
            "deploy",
            "plan",
            "setup",
            "status",
            "config",
            "doctor",
            "open",
            "build details",
            "app containers",
            "env push",
        ),
        *(
            "lock status",
            "traefik details",
            "audit",
            "prune all",
            "registry login",
            "server bootstrap",
            "history",
            "init",
        ),
    ],
)
def test_every_command_says_that_line_alone(project: Path, words: str) -> None:
    (project / "config/deploy.yml").write_text(RAILS_8)
    assert words.partition(" ")[0] in COMMANDS
    with pytest.raises(ConfigError) as error:
        kp.main(words.split(), standalone_mode=False)
    assert str(error.value).startswith(
        "config/deploy.yml:7:1 this is a configuration of Kamal 2 (proxy, aliases, builder.arch)"
    )
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in project.iterdir()) == ["config"]
