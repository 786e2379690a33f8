"""Local files of accessories, as they are uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.errors import ConfigError
from tests.conftest import MakeConfig

HOST = "192.0.2.9"


def files(config: MakeConfig, *entries: str, **fields) -> dict[str, str | bytes]:
    accessory = {"image": "mysql:8", "host": HOST, "files": list(entries), **fields}
    return config(accessories={"db": accessory}).accessory_files("db")


def test_files_are_taken_as_they_are_and_templates_rendered_with_the_clear_env(
    config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "raw.bin").write_bytes(b"\x00\xff")
    (tmp_path / "my.cnf.erb").write_text('level=<%= ENV["LEVEL"] %> <%= ENV.fetch("MORE", "none") %>\n')
    found = files(config, "raw.bin:/a", "raw.bin:/b:ro", "my.cnf.erb:/etc/my.cnf", env={"clear": {"LEVEL": "3"}})
    assert found == {"/a": b"\x00\xff", "/b": b"\x00\xff", "/etc/my.cnf": "level=3 none\n"}


def test_a_hash_makes_no_comment_of_a_line_in_a_template(config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "a.css.erb").write_text('#id { color: <%= ENV["COLOR"] %> }\n#define X <%= ENV["COLOR"] %>\n')
    found = files(config, "a.css.erb:/a", env={"clear": {"COLOR": "red"}})
    assert found == {"/a": "#id { color: red }\n#define X red\n"}


def test_a_folder_is_uploaded_file_by_file(config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "init/deep").mkdir(parents=True)
    (tmp_path / "init/b.sql").write_text("b")
    (tmp_path / "init/deep/a.sql").write_text("a")
    assert files(config, "init:/init/") == {"/init/b.sql": b"b", "/init/deep/a.sql": b"a"}


def test_all_files_that_cannot_be_used_are_named_at_once(config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "ruby.erb").write_text("<%= `id` %>")
    (tmp_path / "bytes.erb").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as found:
        files(config, "none.cnf:/a", "ruby.erb:/b", "bytes.erb:/c")
    lines = str(found.value).splitlines()
    assert [line.split("accessories/")[-1][:40] for line in lines] == [
        "db/files/0: none.cnf cannot be read: No ",
        "ruby.erb:1:1 this ERB is not understood:",
        "bytes.erb: a template must be UTF-8 text",
    ]


def test_hosts_of_accessories_come_after_those_of_roles_and_are_one_host(config: MakeConfig) -> None:
    loaded = config(
        accessories={"db": {"image": "a", "hosts": [HOST, "192.0.2.1"]}, "cache": {"image": "b", "host": HOST}}
    )
    assert [server.host for server in loaded.all_hosts] == ["192.0.2.1", HOST]
    assert (loaded.accessories_on(HOST), loaded.accessories_on("192.0.2.1")) == (("db", "cache"), ("db",))


def test_a_host_is_reached_in_one_way_by_roles_and_accessories(config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 has another user elsewhere in this file"):
        config(
            servers=[{"192.0.2.1": {"user": "ops"}}],
            accessories={"db": {"image": "a", "host": {"192.0.2.1": {"user": "root"}}}},
        )
