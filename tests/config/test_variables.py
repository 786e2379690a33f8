"""ERB and ``${NAME}``: values from the environment, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config.document.erb import Template
from kamal_pyinfra.config.env import join_env, pieces
from kamal_pyinfra.errors import ConfigError
from tests.config.conftest import FIXTURES, Load, Problems, fixture

ENVIRON = {
    "NAME": "shop",
    "ORG": "acme",
    "FIRST": "192.0.2.1",
    "REGISTRY": "r.example.com",
    "DELAY": "3",
    "EMPTY": "",
    "EVIL": "x\n- y: [z]\n${NAME} <%= 1 %> '\"",
}
NOT_UNDERSTOOD = (
    'this ERB is not understood: Ruby is not run here, only <%= ENV["NAME"] %>, <%= ENV.fetch("NAME", "default") %>, '
    '<%= File.read("FILE") %> and <%= `git rev-parse HEAD` %> are replaced'
)
SET = '; write `<%= ENV["ASSET_PATH"] %>` and set ASSET_PATH before kp starts'
TAKE_OUT = (
    "; take the tag out, and let a variable or the file of a destination (deploy.NAME.yml, with -d) make the difference"
)
COMMAND = "this ERB is not understood: commands are not run here; "


def test_values_come_from_the_environment() -> None:
    config = fixture("erb", **ENVIRON)
    assert (config.service, config.image) == ("shop", "acme/shop")
    assert (config.registry.server, config.registry.username) == ("r.example.com", "bot-shop")
    assert [server.host for server in config.role_hosts] == ["192.0.2.1", "192.0.2.2"]
    assert (config.healthcheck.port, config.readiness_delay) == (8080, 3)
    assert config.healthcheck.cmd == 'test "${HOME}" = shop'


def test_what_a_variable_holds_is_never_read_as_yaml_or_replaced_again() -> None:
    config = fixture("erb", **ENVIRON)
    assert config.env.clear["TAKEN"] == ENVIRON["EVIL"]
    assert config.labels == {"shop.team": ENVIRON["EVIL"]}


def test_references_in_env_are_left_for_the_host() -> None:
    assert fixture("erb", **ENVIRON).env.clear["KEPT"] == "${NAME} on ${HOSTNAME}"


@pytest.mark.parametrize(
    ("written", "value", "parts"),
    [
        ('<%= ENV["X"] %>', "a${HOME}b", ("", "a${HOME}b", "")),
        ('"${HOSTNAME}-<%= ENV["X"] %>-${B}"', "${HOME}", ("${HOSTNAME}-", "${HOME}", "-${B}")),
        ('"$<%= ENV["X"] %>"', "{HOME}", ("$", "{HOME}", "")),
        ('"<%= ENV["X"] %>{HOME}"', "$", ("", "$", "{HOME}")),
        ('"<%= ENV.fetch("Y", "${HOME}") %>"', "", ("", "${HOME}", "")),
        ('"<%= File.read("x.txt") %>"', "", ("", "${HOME} of a file", "")),
        ('"plain ${HOME}"', "", ("plain ${HOME}",)),
    ],
)
@pytest.mark.parametrize("section", ["env", "traefik", "accessories", "servers"])
def test_what_a_tag_brings_into_env_is_told_from_what_the_file_says(
    load: Load, project: Path, section: str, written: str, value: str, parts: tuple[str, ...]
) -> None:
    """Only what the file says is left for the host's shell, wherever an environment is written."""
    (project / "x.txt").write_text("${HOME} of a file\n")
    env = f"{{clear: {{A: {written}}}}}"
    keys = {
        "env": env,
        "traefik": f"{{env: {env}}}",
        "accessories": f"{{db: {{image: db, host: 192.0.2.1, env: {env}}}}}",
        "servers": f"{{web: {{hosts: [192.0.2.1], env: {env}}}}}",
    }
    config = load(**{section: keys[section]}, environ={"X": value})
    found = {
        "env": config.env_for("web", "192.0.2.1"),
        "traefik": join_env(config.traefik.env),
        "accessories": join_env(config.accessories["db"].env) if section == "accessories" else None,
        "servers": config.env_for("web", "192.0.2.1"),
    }[section]
    assert found is not None
    assert (found.clear["A"], pieces(found.clear["A"])) == ("".join(parts), parts)


def test_other_forms_of_dollar_are_left_alone() -> None:
    assert fixture("erb", **ENVIRON).volumes == ("$PWD/x:/x", "", "${A:-b}")


def test_every_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError) as error:
        fixture("erb")
    lines = str(error.value).replace(f"{FIXTURES}/deploy_erb.yml:", "").splitlines()
    wanted = [
        "2:10 service: NAME",
        "3:8 image: NAME",
        "3:8 image: ORG",
        "5:11 registry/server: REGISTRY",
        "6:13 registry/username: NAME",
        "8:11 servers/0: FIRST",
        "11:8 healthcheck/cmd: NAME",
        "12:18 readiness_delay: DELAY",
        "16:12 env/clear/TAKEN: EVIL",
        "18:3 labels: NAME",
        "18:28 labels/.team: EVIL",
        "20:24 volumes/1: EMPTY",
    ]
    way_out = " is not set; add it to .env or export it"
    assert lines == [line + way_out for line in wanted]


@pytest.mark.parametrize(
    "ruby",
    [
        '<%= ENV["A"] || "b" %>',
        '<%= ENV["A"].downcase %>',
        '<%= ENV.fetch("A") { "b" } %>',
        "<%= ENV[A] %>",
        "<%= ENV[\"A'] %>",
        '<%= File.read(ENV["A"]) %>',
        '<%= File.read("x").lines.first %>',
        '<%= File.read("#{A}") %>',
        "<%= Rails.application.credentials.key %>",
    ],
)
def test_any_other_ruby_is_refused(problems: Problems, ruby: str) -> None:
    assert problems(asset_path=ruby, environ={"A": "x"}) == f"5:13 asset_path: {NOT_UNDERSTOOD}{SET}"


def test_refused_ruby_is_reported_beside_the_rest(problems: Problems) -> None:
    assert problems(asset_path="<%= 1 %>", volumes="x", labels="${A}", wat="1") == (
        f"5:13 asset_path: {NOT_UNDERSTOOD}{SET}\n"
        "6:10 volumes: should be an array\n"
        "7:9 labels: A is not set; add it to .env or export it\n"
        "8:1 unknown key: wat"
    )


def test_a_tag_without_end_is_named(problems: Problems) -> None:
    assert problems(asset_path="<%= unfinished") == "5:13 asset_path: this tag of ERB has no end: write %>"


@pytest.mark.parametrize(
    ("tag", "program"),
    [
        ("<%= `hostname` %>", "hostname"),
        ("<%= %x(hostname -f) %>", "hostname -f"),
        ('<%= %x[op read "op://x/y"].strip %>', 'op read "op://x/y"'),
        ("<%= %x{doctl registry get}.chomp -%>", "doctl registry get"),
        ("<%= `git config user.name`.strip %>", "git config user.name"),
        ("<%= `git rev-parse HEAD; id` %>", "git rev-parse HEAD; id"),
    ],
)
def test_a_command_is_refused_with_the_line_to_run(problems: Problems, tag: str, program: str) -> None:
    assert problems(asset_path=tag) == (
        f'5:13 asset_path: {COMMAND}write `<%= ENV["ASSET_PATH"] %>` and run `ASSET_PATH=$({program}) kp deploy`'
    )


@pytest.mark.parametrize("tag", ["<%= `id #{x}` %>", "<%= `id`.split.first %>", f"<%= `{'x' * 201}` %>"])
def test_a_command_that_no_shell_can_repeat_leaves_the_variable(problems: Problems, tag: str) -> None:
    assert problems(asset_path=tag) == f"5:13 asset_path: {COMMAND}{SET.removeprefix('; ')}"


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("aws ecr get-login-password", "ECR_PASSWORD"),
        ("aws ecr get-login-password --region eu-central-1", "ECR_PASSWORD"),
        ("gcloud auth print-access-token", "GCLOUD_PASSWORD"),
        ("az acr login --name acme --expose-token --output tsv --query accessToken", "ACR_PASSWORD"),
        ("doctl registry login --read-only", "DOCR_PASSWORD"),
        ('op read "op://Vault/Registry/password" -n', "REGISTRY_PASSWORD"),
    ],
)
@pytest.mark.parametrize("form", ["<%= %x({}) %>", "<%= `{}` %>", '"<%= `{}`.strip %>"'])
def test_the_command_of_a_registry_is_refused_with_both_lines_to_write(
    problems: Problems, program: str, name: str, form: str
) -> None:
    tag = form.replace("{}", program)
    column = 13 + tag.startswith('"')
    assert problems(registry=f"\n  username: u\n  password: {tag}") == (
        f"5:{column} registry/password: {COMMAND}write `password: [{name}]` and run `{name}=$({program}) kp deploy`"
    )
    assert problems(registry=f"{{username: u, password: {tag}}}").endswith(
        f"write `password: [{name}]` and run `{name}=$({program}) kp deploy`"
    )


def test_what_git_says_of_the_commit_needs_no_ruby(project: Path, load: Load) -> None:
    def git(*words: str) -> str:
        name = ("-c", "user.name=a", "-c", "user.email=b")
        return subprocess.run(["git", *name, *words], capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "--message=one")
    git("tag", "v7")
    head = git("rev-parse", "HEAD")
    tags = {
        "`git rev-parse HEAD`.strip": head,
        "`git rev-parse HEAD`": head,
        "%x(git rev-parse HEAD).chomp": head,
        "`git rev-parse HEAD`.strip[0, 7]": head[:7],
        "`git rev-parse HEAD`[0..6]": head[:7],
        "`git rev-parse HEAD`[0...6].strip": head[:6],
        "`git rev-parse HEAD`.strip.first(8)": head[:8],
        "`git rev-parse --short HEAD`.strip": git("rev-parse", "--short", "HEAD"),
        "`git rev-parse --short=12 HEAD`.strip": head[:12],
        "`git rev-parse --abbrev-ref HEAD`.chomp": "main",
        "`git branch --show-current`.chomp": "main",
        "`git describe --tags --always`.strip": "v7",
        "`git describe --tags --abbrev=0 2>/dev/null`.strip": "v7",
        "`git log -1 --format=%H`.strip": head,
        "`git log -n 1 --pretty=format:'%h'`": git("rev-parse", "--short", "HEAD"),
    }
    args = "".join(f"\n    A{number}: <%= {tag} %>" for number, tag in enumerate(tags))
    assert load(builder=f"\n  args:{args}").builder.args == {
        f"A{number}": value for number, value in enumerate(tags.values())
    }


def test_git_without_an_answer_is_named_with_the_way_out(problems: Problems) -> None:
    assert problems(builder="{args: {SHA: <%= `git rev-parse HEAD`.strip %>}}") == (
        "5:23 builder/args/SHA: git failed (not a git repository (or any of the parent directories): .git); "
        'write `<%= ENV["SHA"] %>` and run `SHA=$(git rev-parse HEAD) kp deploy`'
    )


def test_the_text_of_a_file_of_the_project_needs_no_ruby(project: Path, load: Load) -> None:
    (project / "version").write_text(" 3.3.1 \n")
    (project / "config/evil.txt").write_text("x: [${HOME}\n- <%= 1 %>\n")
    (project / "linked").symlink_to("version")
    config = load(
        labels="\n  a: <%= File.read('version').strip %>\n  b: \"<%= IO.read 'version' %>\"\n"
        '  c: <%= File.read("./config/../linked").chomp %>x\n  d: <%= File.read("config/evil.txt") %>'
    )
    assert config.labels == {"a": "3.3.1", "b": " 3.3.1 ", "c": "3.3.1x", "d": "x: [${HOME}\n- <%= 1 %>"}


def test_other_files_are_refused_with_the_way_out(project: Path, problems: Problems) -> None:
    (project / "config/big").write_bytes(b"x" * 100_001)
    (project / "config/bytes").write_bytes(b"\xff")
    (project / "config/nul").write_bytes(b"a\0b")
    (project / "config/away").symlink_to("/etc/hostname")
    (project / "config/loop").symlink_to("loop")
    os.mkfifo(project / "config/pipe")
    complaints = {
        "/etc/hostname": "is outside the project's folder and is not read; ",
        "../x": "is outside the project's folder and is not read; ",
        "config/away": "is outside the project's folder and is not read; ",
        "~/x": "does not exist; add the file, or ",
        "nowhere": "does not exist; add the file, or ",
        "config": "is no file that can be read; ",
        "config/pipe": "is no file that can be read; ",
        "config/big": "is larger than 100 kB, which no value may be; ",
        "config/bytes": "is not text; ",
        "config/nul": "is not text; ",
        "config/deploy.yml/x": "does not exist; add the file, or ",
        "config/loop": "does not exist; add the file, or ",
    }
    labels = "".join(f"\n  L{number}: <%= File.read('{name}') %>" for number, name in enumerate(complaints))
    assert problems(labels=labels).splitlines() == [
        f"{number + 6}:{7 + (number > 9)} labels/L{number}: {name} {complaint}"
        f'write `<%= ENV["L{number}"] %>` and run `L{number}=$(cat "{name}") kp deploy`'
        for number, (name, complaint) in enumerate(complaints.items())
    ]


@pytest.mark.parametrize(
    "tag",
    [
        '<% require "dotenv"; Dotenv.load(".env") %>',
        "<% require 'dotenv'\n   Dotenv.load %>",
        "<% Dotenv.load() -%>",
        "<%- require('json') -%>",
        "<%# a comment\n     of two lines %>",
        "<% # nothing %>",
        "<% %>",
    ],
)
def test_a_tag_that_prints_nothing_and_does_nothing_is_passed_by(load: Load, problems: Problems, tag: str) -> None:
    valid = "service: s\nimage: i\nservers: [a]\nregistry: {username: u, password: p}\n"
    assert load(text=f"{tag}\n{valid}").service == "s"
    line = 6 + tag.count("\n")
    assert problems(text=f"{tag}\n{valid}traefik: {{argz: 1}}\n") == (
        f"{line}:11 traefik: unknown key: argz (did you mean `args`?)"
    )


@pytest.mark.parametrize("tag", ["<% if x %>", "<% x = `id` %>", '<% require "a"; system("b") %>', "<% end %>"])
def test_any_other_tag_that_prints_nothing_is_refused_and_hides_nothing(problems: Problems, tag: str) -> None:
    assert problems(traefik=f"{tag}\n  argz: 1\n  {tag}\n  args: {{}}") == (
        f"5:10 {NOT_UNDERSTOOD}{TAKE_OUT}\n"
        "6:3 traefik: unknown key: argz (did you mean `args`?)\n"
        f"7:3 {NOT_UNDERSTOOD}{TAKE_OUT}"
    )


def test_variables_of_other_files_than_env_are_refused(problems: Problems) -> None:
    assert problems(labels="{}\n<% Dotenv.load('.env.local') %>") == (
        "6:1 this ERB is not understood: Ruby is not run here; kp reads .env, and .env.DESTINATION with -d, by itself: "
        "take the tag out, and put variables of other files into one of these"
    )


def test_a_tag_counts_behind_a_hash_that_is_no_comment(load: Load, problems: Problems) -> None:
    block = "\n  A: |\n    #!/bin/sh\n    # <%= {} %>\n  B: 'x # <%= {} %>'\n  # <%= `comment` %>\n  C: y # <%= 1 %>"
    value = block.replace("{}", 'ENV["X"]')
    assert load(env=value, environ={"X": "z\nz"}).env.clear == {
        "A": "#!/bin/sh\n# z\nz\n",
        "B": "x # z\nz",
        "C": "y",
    }
    assert problems(env=block.replace("{}", "`id`")).splitlines() == [
        f'8:7 env/A: {COMMAND}write `<%= ENV["VALUE"] %>` and run `VALUE=$(id) kp deploy`',
        f'9:11 env/B: {COMMAND}write `<%= ENV["B"] %>` and run `B=$(id) kp deploy`',
    ]


def test_erb_of_several_lines_and_literal_tags(load: Load, problems: Problems) -> None:
    labels = (
        "\n  a: <%= ENV.fetch(\n    'X') %>x\n  b: a<%# c %>b\n"
        "  c: \"<%% <%= ENV['X'] %> %>\"\n  d: |\n    e <% %>\n    f"
    )
    config = load(labels=labels, environ={"X": "1\n"})
    assert config.labels == {"a": "1\nx", "b": "ab", "c": "<% 1\n %>", "d": "e \nf\n"}
    assert problems(labels=labels, wat="1", environ={"X": "1"}) == "13:1 unknown key: wat"


def test_a_refused_item_is_one_line(problems: Problems) -> None:
    """What cannot be read has one problem, and the same is true of an alias that leads back."""
    registry = "{username: a, password: ['<%= 1 %>']}"
    assert problems(registry=registry).count("\n") == 0
    assert problems(volumes="&v [*v]") == "5:10 volumes/0: an alias (`*`) leads back to the value that it stands in"


def test_tags_of_one_value_have_a_variable_each(problems: Problems) -> None:
    written = 'write `<%= ENV["{0}"] %>` and run `{0}=$({1}) kp deploy`'
    assert problems(labels="\n  a: <%= `one` %>-<%= `two` %>") == (
        f"6:6 labels/a: {COMMAND}{written.format('A', 'one')}\n6:19 labels/a: {COMMAND}{written.format('A_2', 'two')}"
    )


def test_a_tag_in_a_key_or_a_list_hides_nothing(problems: Problems) -> None:
    assert problems(labels="{<%= 1 %>: x, wat: [y]}", volumes="\n  - <%= `pwd` %>/x:/x") == (
        f'5:10 labels: {NOT_UNDERSTOOD}; write `<%= ENV["LABELS"] %>` and set LABELS before kp starts\n'
        "5:28 labels/wat: should be a string\n"
        f'7:5 volumes/0: {COMMAND}write `<%= ENV["VOLUMES"] %>` and run `VOLUMES=$(pwd) kp deploy`'
    )


@given(st.text(alphabet=st.sampled_from("<%=#- ENV[]\"'`A\n.fetch(),>|:x"), max_size=60))
def test_positions_and_widths_stay_whatever_the_tags(source: str) -> None:
    template = Template(source)
    assert len(template.text) <= len(source) + len(template.tags)
    lines = template.text.split("\n")
    assert template.line(1) == 1
    assert template.line(len(lines)) <= source.count("\n") + 1


def test_positions_stay_true_behind_a_variable(problems: Problems) -> None:
    assert problems(labels='{a: <%= ENV.fetch("A", "b") %>, c: {d: e}}') == "5:44 labels/c: should be a string"


def test_plain_text_takes_the_type_of_what_it_became(load: Load, problems: Problems) -> None:
    assert load(traefik="\n  publish: ${P}", environ={"P": "false"}).traefik.publish is False
    assert problems(traefik="{publish: '${P}'}", environ={"P": "false"}) == (
        "5:20 traefik/publish: should be a boolean"
    )


def test_references_are_kept_in_env_of_roles_accessories_and_the_proxy(load: Load) -> None:
    config = load(
        env="{clear: {A: '${X}'}, tags: {t: {A: '${X}'}}}",
        servers="{web: {hosts: [a], env: {A: '${X}'}}}",
        accessories="{db: {image: x, host: a, env: {clear: {A: '${X}'}}}}",
        traefik="{env: {A: '${X}'}}",
    )
    assert (config.env.clear, config.env.tags["t"].clear) == ({"A": "${X}"}, {"A": "${X}"})
    assert config.servers["web"].env.clear == {"A": "${X}"}
    assert config.accessories["db"].env.clear == {"A": "${X}"}
    assert config.traefik.env.clear == {"A": "${X}"}
