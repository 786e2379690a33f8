"""`.env` from a template, with the process environment alone, for its owner only."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config.document.erb import Renderer, Values
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.envify import envify, find_template, render_jinja

ENVIRON = {"TOKEN": "hush-1", "EMPTY": "", "NUMBER": "7"}
ERB = Path(".env.erb")
TPL = Path(".env.tpl")


def written(root: Path, destination: str | None, environ: Mapping[str, str]) -> str | None:
    """The name of the template from which the env file was written, if there is one."""
    template = find_template(root, destination)
    if template is not None:
        envify(root, template, environ)
    return template


def render_erb(source: str, path: Path, environ: Mapping[str, str], root: Path = Path("/nowhere")) -> str:
    """A template in a folder without files."""
    return Renderer(source, path, Values(environ, root)).text()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('A=<%= ENV["TOKEN"] %>\n', "A=hush-1\n"),
        ("A=<%= ENV['TOKEN'] -%>\nB=1\n", "A=hush-1B=1\n"),
        ('A=<%= ENV.fetch("OTHER", "x y") %>\n', "A=x y\n"),
        ('A="<%= ENV.fetch("EMPTY") %>"\n', 'A=""\n'),
        ("<%# why -%>\nA=1\n", "A=1\n"),
        ("<%# why %>\nA=1\n", "\nA=1\n"),
        ("# <%= `op read x` %>\nA=1\n", "# <%= `op read x` %>\nA=1\n"),
        ("A=<%%= x %>\n", "A=<%= x %>\n"),
        ("A=1", "A=1"),
    ],
)
def test_erb_that_reads_the_environment(source: str, text: str) -> None:
    assert render_erb(source, ERB, ENVIRON) == text


UNDERSTOOD = (
    'Ruby is not run here, only <%= ENV["NAME"] %>, <%= ENV.fetch("NAME", "default") %>, <%= File.read("FILE") %> and '
    "<%= `git rev-parse HEAD` %> are replaced"
)


def test_other_erb_is_refused_with_line_and_way_out() -> None:
    with pytest.raises(ConfigError) as refused:
        render_erb('A=1\nB=<%= `op read "op://x/y" -n` %>\n  C=<%= ENV["GONE"] %>\nD=<%= 1 %>\nE=<% if', ERB, ENVIRON)
    assert refused.value.problems == (
        '.env.erb:2:3 this ERB is not understood: commands are not run here; write `<%= ENV["B"] %>` and run '
        '`B=$(op read "op://x/y" -n) kp envify`',
        '.env.erb:3:5 GONE is not set; export it, or write <%= ENV.fetch("GONE", "") %> if it may be empty',
        f'.env.erb:4:3 this ERB is not understood: {UNDERSTOOD}; write `<%= ENV["D"] %>` and set D before kp starts',
        f".env.erb:5:3 this ERB is not understood: {UNDERSTOOD}; take the tag out, and let a variable make the "
        "difference",
    )


def test_every_command_is_named_at_once_with_the_variable_to_set(tmp_path: Path) -> None:
    (tmp_path / ".env.erb").write_text(
        'PASSWORD=<%= `op read "op://Vault/Registry/password" -n` %>\n'
        'RAILS_MASTER_KEY=<%= File.read("config/master.key") %>\n'
        "export GITHUB_TOKEN='<%= `gh config get -h github.com oauth_token`.strip %>'\n"
        "URL=postgres://u:<%= %x(pass show db) %>@db\n"
        "<% if ENV['X'] -%>\nA=1\n<% end -%>\n"
    )
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, None, {})
    command = "this ERB is not understood: commands are not run here; "
    taken_out = f"this ERB is not understood: {UNDERSTOOD}; take the tag out, and let a variable make the difference"
    assert refused.value.problems == (
        f'.env.erb:1:10 {command}write `<%= ENV["PASSWORD"] %>` and run '
        '`PASSWORD=$(op read "op://Vault/Registry/password" -n) kp envify`',
        ".env.erb:2:18 config/master.key does not exist; add the file, or "
        'write `<%= ENV["RAILS_MASTER_KEY"] %>` and run `RAILS_MASTER_KEY=$(cat "config/master.key") kp envify`',
        f'.env.erb:3:22 {command}write `<%= ENV["GITHUB_TOKEN"] %>` and run '
        "`GITHUB_TOKEN=$(gh config get -h github.com oauth_token) kp envify`",
        f'.env.erb:4:18 {command}write `<%= ENV["URL"] %>` and run `URL=$(pass show db) kp envify`',
        f".env.erb:5:1 {taken_out}",
        f".env.erb:7:1 {taken_out}",
    )


def test_a_file_of_the_project_fills_a_template(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/master.key").write_text("0123abcd\n")
    (tmp_path / ".env.erb").write_text(
        '<% require "json" -%>\nKEY=<%= File.read("config/master.key") %>\n'
        "  <%- # nothing -%>\nTRIMMED=<%= File.read('config/master.key').chomp %>\n"
    )
    assert written(tmp_path, None, {}) == ".env.erb"
    assert (tmp_path / ".env").read_text() == "KEY=0123abcd\n\nTRIMMED=0123abcd\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("A={{ TOKEN }}\n", "A=hush-1\n"),
        ('A={{ env["TOKEN"] }}\n', "A=hush-1\n"),
        ("A={{ OTHER | default('x') }}\n", "A=x\n"),
        ("{% if NUMBER | int > 5 %}A=big{% endif %}\n", "A=big\n"),
        ("{% for n in range(2) %}A{{ n }}={{ EMPTY }}\n{% endfor %}", "A0=\nA1=\n"),
        ("A={{ TOKEN | upper }}<&>", "A=HUSH-1<&>"),
    ],
)
def test_jinja(source: str, text: str) -> None:
    assert render_jinja(source, TPL, ENVIRON) == text


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("A=1\nB={{ GONE }}", "2:1 GONE is not set; export it, or write {{ GONE | default('') }} if it may be empty"),
        ("A=1\n\n{% if %}", "3:1 not a Jinja template: Expected an expression, got 'end of statement block'"),
        ("A={{ TOKEN.__class__.__mro__ }}", "1:1 cannot be evaluated (SecurityError)"),
        ("A={{ env[TOKEN] }}", "1:1 a value is not defined"),
        ("\nA={{ TOKEN | int + TOKEN }}", "2:1 cannot be evaluated (TypeError)"),
        ("{{ env.clear() }}", "1:1 cannot be evaluated (SecurityError)"),
        ("{% include '/etc/passwd' %}", "1:1 cannot be evaluated (TemplateNotFound)"),
        ("{% include '.env.tpl' %}", "1:1 cannot be evaluated (RecursionError)"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_without_a_value(source: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        render_jinja(source, TPL, ENVIRON)
    assert str(refused.value) == f".env.tpl:{problem}"


@given(st.text(alphabet=st.sampled_from("<%=#- ENV[]\"'TOKEN\n.fetch(),%>"), max_size=60))
def test_any_text_is_rendered_or_refused(source: str) -> None:
    said = ""
    try:
        text = render_erb(source, ERB, ENVIRON)
    except ConfigError as refused:
        said, text = str(refused), source
    assert "hush" not in said
    assert text == source or "<%" in source


@given(st.dictionaries(st.sampled_from("ABC"), st.text("abc $\"'<%={}#\\ü", max_size=12)))
def test_values_are_never_looked_at_again(values: dict[str, str]) -> None:
    names = sorted(values)
    expected = "".join(f"{name}|{values[name]}|\n" for name in names)
    assert render_erb("".join(f'{name}|<%= ENV["{name}"] %>|\n' for name in names), ERB, values) == expected
    assert render_jinja("".join(f"{name}|{{{{ {name} }}}}|\n" for name in names), TPL, values) == expected


@pytest.mark.parametrize(
    ("kind", "source"), [("erb", '<%= ENV["TOKEN"] %>'), ("tpl", "{{ TOKEN }}"), ("j2", "{{ TOKEN }}")]
)
@pytest.mark.parametrize("destination", [None, "staging"])
def test_the_file_is_written_for_its_owner_only(
    tmp_path: Path, kind: str, source: str, destination: str | None
) -> None:
    name = ".env" if destination is None else ".env.staging"
    (tmp_path / f"{name}.{kind}").write_text(f"A={source}\n")
    (tmp_path / name).write_text("A=old\nTOKEN=old\n")
    (tmp_path / name).chmod(0o644)
    assert written(tmp_path, destination, ENVIRON) == f"{name}.{kind}"
    assert dotenv_values(tmp_path / name) == {"A": "hush-1"}
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.{kind}"}


def test_without_a_template_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / ".env.erb").write_text("A=1\n")
    assert written(tmp_path, "staging", ENVIRON) is None
    assert [path.name for path in tmp_path.iterdir()] == [".env.erb"]


def test_two_templates_are_one_too_many(tmp_path: Path) -> None:
    for kind in ("erb", "tpl"):
        (tmp_path / f".env.{kind}").write_text("A=1\n")
    with pytest.raises(ConfigError, match=r"^\.env\.erb and \.env\.tpl: which one is meant\? Remove the other$"):
        written(tmp_path, None, ENVIRON)


def test_a_result_that_cannot_be_read_back_is_not_written(tmp_path: Path) -> None:
    (tmp_path / ".env.tpl").write_text("A={{ KEY }}\n")
    (tmp_path / ".env").write_text("A=old\n")
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, None, {"KEY": "-----BEGIN\nhush hush\n-----END"})
    assert str(refused.value) == (
        ".env:2:1 should be NAME=value (as it comes out of .env.tpl; a value with line breaks needs quotes)\n"
        ".env was not written."
    )
    assert (tmp_path / ".env").read_text() == "A=old\n"


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env.erb").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match=r"^\.env\.erb:1:3 is not valid UTF-8$"):
        written(tmp_path, None, ENVIRON)
