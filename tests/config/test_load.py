"""What comes out of valid files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kamal_pyinfra.config import Config, Server, load_config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.naming import image_reference, latest_tag
from tests.config.conftest import FIXTURES, Load, Problems, fixture


def test_a_plain_list_of_hosts_is_the_role_web(load: Load) -> None:
    config = load(servers="[192.0.2.1, 192.0.2.2]")
    assert [(role.name, [s.host for s in role.servers]) for role in config.roles] == [
        ("web", ["192.0.2.1", "192.0.2.2"])
    ]
    assert config.primary_host == "192.0.2.1"


def test_the_defaults_are_those_of_kamal(load: Load) -> None:
    config = load()
    values = (config.hooks_path, config.run_directory, config.retain_containers, config.readiness_delay)
    assert values == (".kamal/hooks", ".kamal", 5, 7)
    assert (config.stop_wait_time, config.primary_role, config.boot.limit) == (None, "web", None)
    assert (config.traefik.image, config.traefik.host_port, config.traefik.publish) == (
        "traefik:v2.11",
        80,
        True,
    )
    assert (config.ssh.user, config.ssh.port, config.builder.dockerfile) == ("root", 22, "Dockerfile")


def test_names_of_images(load: Load) -> None:
    config = load()
    assert (config.repository, latest_tag(config)) == ("acme/shop", "latest")
    staging = load(registry="{server: r.example.com, username: u, password: p}", staging="labels: {}")
    assert (staging.repository, latest_tag(staging)) == ("r.example.com/acme/shop", "latest-staging")
    assert image_reference(staging, "v1") == "r.example.com/acme/shop:v1"


def test_the_golden_file_of_kamal_loads(load: Load) -> None:
    config = fixture("golden")
    assert [role.name for role in config.roles] == ["web", "job"]
    assert [server.host for server in config.role_hosts] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert config.accessory_servers("redis") == config.role("web").servers
    assert config.accessories["db"].publish == "5432:5432"
    assert config.accessories["redis"].publish == "127.0.0.1:6379:6379"


def test_a_destination_is_laid_over_the_main_file() -> None:
    config = fixture("dest", "staging")
    assert config.destination == "staging"
    assert [server.host for server in config.role_hosts] == ["192.0.2.9"]
    assert config.volumes == ("c:/c",)
    assert config.labels == {"one": "main", "two": "staging"}
    assert (config.env.clear, config.env.secret) == ({"A": "main", "B": "staging"}, ("T",))
    assert (config.healthcheck.path, config.healthcheck.port) == ("/staging", 8080)


def test_a_variable_that_the_destination_replaces_need_not_be_set() -> None:
    assert fixture("dest", "staging").asset_path == "/assets"
    with pytest.raises(ConfigError) as error:
        fixture("dest")
    path = FIXTURES / "deploy_dest.yml"
    assert str(error.value) == f"{path}:8:13 asset_path: ONLY_IN_MAIN is not set; add it to .env or export it"


def test_anchors_merge_keys_and_extensions() -> None:
    config = fixture("extensions")
    api, web = config.role("api"), config.role("web")
    assert (api.running_traefik, api.labels, api.cmd) == (True, {"team": "api"}, "bin/api")
    assert (web.running_traefik, web.labels) == (True, {"team": "web", "tier": "front"})
    assert api.servers == web.servers == (Server(host="192.0.2.1"),)


def test_hosts_may_differ_in_how_they_are_reached() -> None:
    config = fixture("hosts")
    special = Server(host="a.example.com", user="deploy", port=2222, key="~/.ssh/shop", sudo=True)
    assert config.role("job").servers == (special,)
    assert config.role("web").servers == (
        Server(host="b.example.com"),
        Server(host="a.example.com", tags=("canary",)),
        Server(host="2001:db8::1", tags=("canary",)),
    )
    assert config.role_hosts == (
        Server(host="b.example.com"),
        special.model_copy(update={"tags": ("canary",)}),
        Server(host="2001:db8::1", tags=("canary",)),
    )


def test_every_key_is_read() -> None:
    config = fixture("all_keys")
    unread = set(Config.model_fields) - config.model_fields_set
    assert unread == set()
    assert config.builder.args == {"RUBY": "3.10", "TOKEN": "hidden-token"}
    assert [str(mount) for mount in config.accessories["db"].files] == [
        "pg.conf:/etc/pg.conf",
        "init.sql:/docker-entrypoint-initdb.d/init.sql:ro",
    ]
    assert config.accessories["db"].files[1].mode == "ro"
    assert config.accessory_servers("search") == (
        Server(host="192.0.2.51"),
        Server(host="192.0.2.52", user="root"),
    )
    assert config.traefik.options == {"publish": ("443:443", "8443:8443")}


@pytest.mark.parametrize(
    "written",
    ["1.10", "0123", "yes", "off", "1e3", "2024-01-01", "1:30", "0x1F", "1_000", ".5", "''", "=", "null "],
)
def test_text_stays_as_it_was_written(load: Load, written: str) -> None:
    value = written if written != "null " else "'null '"
    config = load(labels=f"{{a: {value}}}", env=f"{{A: {value}}}")
    expected = "" if written == "''" else written
    assert (config.labels["a"], config.env.clear["A"]) == (expected, expected)


def test_block_text_keeps_its_line_breaks(load: Load) -> None:
    assert load(env="\n  A: |\n    one\n    two").env.clear == {"A": "one\ntwo\n"}


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(project: Path) -> None:
    text = "service: s\r\nimage: i\r\nregistry: {username: u, password: p}\r\nservers:\r\n  - a\r\n"
    (project / "config/deploy.yml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_config(environ={}).role_hosts == (Server(host="a"),)


def test_text_that_is_not_utf8_is_located(project: Path) -> None:
    (project / "config/deploy.yml").write_bytes(b"service: s\nimage: \xff\n")
    with pytest.raises(ConfigError) as error:
        load_config(environ={})
    assert str(error.value) == "config/deploy.yml:2:8 is not valid UTF-8"


def test_files_that_cannot_be_read(project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(environ={})
    assert str(error.value) == "config/deploy.yml:1:1 Configuration file not found in config/deploy.yml"
    with pytest.raises(ConfigError) as error:
        load_config("config", environ={})
    assert str(error.value) == "config:1:1 cannot be read: Is a directory"
    (project / "config/deploy.yml").write_text("#" * 1_000_001)
    with pytest.raises(ConfigError) as error:
        load_config(environ={})
    assert str(error.value) == "config/deploy.yml:1:1 larger than 1 MB"


def test_the_environment_of_the_process_is_used_and_left_alone(
    project: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_PROCESS", "x")
    (project / ".env").write_text("FROM_FILE=y\n")
    load()
    before = dict(os.environ)
    config = load_config()
    assert (config.source.environ["FROM_PROCESS"], config.source.environ["FROM_FILE"]) == ("x", "y")
    assert dict(os.environ) == before


def test_where_a_configuration_came_from(project: Path, load: Load) -> None:
    config = load()
    assert (config.source.path, config.source.root, config.destination) == (Path("config/deploy.yml"), project, None)


def test_an_unknown_role_is_an_error(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"no role job; there are web"):
        load().role("job")


def test_empty_roles_may_be_allowed_save_the_primary_one(load: Load, problems: Problems) -> None:
    config = load(servers="{web: [a], job: []}", allow_empty_roles="true")
    assert config.role("job").servers == ()
    assert problems(servers="{web: [], job: []}", allow_empty_roles="true") == (
        "4:16 servers/web: No servers specified for the web primary_role"
    )


@pytest.mark.parametrize("name", ["hey-app1_primary", "MyApp", "a", "9"])
def test_names_that_a_service_may_have(load: Load, name: str) -> None:
    assert load(service=name).service == name


@pytest.mark.parametrize("version", ["1.9.2", "1.9", "1", "0.5.0", "1.9.2.0", "1.9.2.pre1", "1.8.99", "1.9.2rc1"])
def test_versions_that_we_are_new_enough_for(load: Load, version: str) -> None:
    assert load(minimum_version=version).minimum_version == version


@pytest.mark.parametrize("version", ["v1.9", "1..9", "²", "9" * 5000])
def test_what_is_no_version_is_said_to_be_none(load: Load, version: str) -> None:
    with pytest.raises(ConfigError, match=r"should be a version such as 1\.9\.2"):
        load(minimum_version=version)


@pytest.mark.parametrize(
    ("written", "read"), [("~/.kamal", ".kamal"), ("~//x", "x"), ("/srv/kamal", "/srv/kamal"), ("a b/.k", "a b/.k")]
)
def test_a_run_directory_below_the_home_may_be_written_with_a_tilde(load: Load, written: str, read: str) -> None:
    """Kamal lets the shell expand it; quoted, it would be a folder called `~`."""
    assert load(run_directory=f"{written!r}").run_directory == read


def test_a_run_directory_that_commands_would_take_for_an_option_is_refused(problems: Problems) -> None:
    assert problems(run_directory="-x") == ("5:16 run_directory: commands would take this for an option; write ./-x")


@pytest.mark.parametrize("written", ["~", "~/", "~deploy/.kamal", "$HOME/.kamal", "/srv/${NAME}x", "~/~/x"])
def test_a_run_directory_that_only_a_shell_could_read_is_refused(problems: Problems, written: str) -> None:
    found = problems(run_directory=f"{written!r}")
    assert "run_directory: no shell expands `~` or `$NAME` here" in found or "NAME" in found
