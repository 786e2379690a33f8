"""What `kp init` writes: whole files for a few folders, and for any answer a file that loads and says the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.config.document.erb import Template, Values
from kamal_pyinfra.config.document.reader import TreeBuilder, parse
from kamal_pyinfra.config.document.tree import Map
from kamal_pyinfra.config.load import validate
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.config.values import Address
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.scan import DJANGO, RAILS, Image, Project
from kamal_pyinfra.project.starter import (
    HOOKS,
    SCRIPTS,
    Answers,
    deploy_yml,
    read_answers,
    split_account,
    starter_files,
    to_host,
)

ROOT = Path(__file__).parent.parent.parent
HELLO = Project(service="hello")
ONE = Answers(hosts=(Address(host="192.0.2.10"),), image="acme/hello")

DEFAULT = """\
# yaml-language-server: $schema=./deploy.schema.json
# How this app is deployed. `kp docs` explains every key; `kp config` prints what kp reads here.

# Name of the app: its containers' names begin with it.
service: hello

# The image, without the registry's server and without a tag: its version is the commit.
image: acme/hello

# Servers that you reach over SSH, by role. Role `web` is behind the proxy.
servers:
  web:
    - 192.0.2.10
  # job:
  #   hosts:
  #     - 192.0.2.10
  #   cmd: bin/jobs

# No registry is needed: kp runs one on this machine, and servers reach it through SSH while they pull.
# To deploy from several machines, or from CI, name one that all of them reach:
# registry:
#   # server: registry.example.com
#   username: acme
#   password:
#     - KAMAL_REGISTRY_PASSWORD  # a variable of .env; the password itself is never in this file

# Built for processors like this machine's (amd64). Without this section: for amd64 and arm64.
builder:
  multiarch: false

# Environment of the containers. Secrets are listed by name; their values are in .env.
env:
  clear:
    PORT: 3000
  # secret:
  #   - DATABASE_PASSWORD

# A new version gets requests once it answers here; until then the old one serves.
healthcheck:
  path: /up
  port: 3000

# Files that pages of the old and of the new version both need while versions change.
# asset_path: /app/public/assets

# How servers are reached; root at port 22 by default.
# ssh:
#   user: deploy

# Databases and the like. They stay when versions change.
# accessories:
#   db:
#     image: postgres:16
#     host: 192.0.2.20
#     port: 127.0.0.1:5432:5432
#     env:
#       secret:
#         - POSTGRES_PASSWORD
#     directories:
#       - data:/var/lib/postgresql/data

# Next: run `kp setup`.
"""
NO_REGISTRY = DEFAULT.partition("# No registry")[2].partition("# Built for")[0]
REGISTRY = """\
Where the image is pushed to from here, and pulled from by the servers. Without `server`: Docker Hub.
registry:
  server: registry.example.com
  username: acme
  password:
    - KAMAL_REGISTRY_PASSWORD  # a variable of .env; the password itself is never in this file

"""


def changed(*pairs: tuple[str, str]) -> str:
    text = DEFAULT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_folder_with_nothing() -> None:
    assert deploy_yml(HELLO, ONE) == DEFAULT


def test_rails_in_a_registry_of_its_own_on_two_servers() -> None:
    answers = read_answers(
        "shop",
        hosts=["deploy@192.0.2.10:2222", "web2.example.com"],
        image="registry.example.com/acme/shop",
        registry=None,
        username=None,
    )
    assert deploy_yml(Project(service="shop", framework=RAILS), answers) == changed(
        ("service: hello", "service: shop"),
        ("image: acme/hello", "image: acme/shop"),
        (
            "    - 192.0.2.10\n  # job",
            "    - 192.0.2.10:\n        user: deploy\n        port: 2222\n    - web2.example.com\n  # job",
        ),
        (f"No registry{NO_REGISTRY}", REGISTRY),
        ("    PORT: 3000\n", "    PORT: 3000\n    RAILS_LOG_TO_STDOUT: 1\n"),
        ("  # secret:\n  #   - DATABASE_PASSWORD", "  secret:\n    - RAILS_MASTER_KEY"),
        ("# asset_path: /app/public/assets", "asset_path: /rails/public/assets"),
        ("# Next: run", "# Next: write the registry's password and RAILS_MASTER_KEY into .env, then run"),
    )


def test_a_registry_of_ones_own_at_another_port_and_a_machine_unlike_most_servers() -> None:
    answers = read_answers(
        "hello", hosts=["192.0.2.10"], image="localhost:5000/acme/hello", registry=None, username=None
    )
    ours = "The registry that kp runs on this machine; servers reach it through SSH while they pull."
    built = DEFAULT.partition("# Built")[2].partition("# Environment")[0]
    assert deploy_yml(Project(service="hello", is_built_for_itself=False), answers) == changed(
        (f"No registry{NO_REGISTRY}", f'{ours}\nregistry:\n  server: "localhost:5000"\n\n'),
        (
            f"Built{built}",
            "Built for amd64 and arm64. Faster, where all servers have processors like this machine's:\n"
            "# builder:\n#   multiarch: false\n\n",
        ),
    )


def test_django_in_an_image_without_curl_with_a_health_page() -> None:
    project = Project(service="hello", framework=DJANGO, image=Image(port=9000), health_page="/healthz/")
    command = "from urllib.request import urlopen; urlopen('http://localhost:9000/healthz/')"
    assert deploy_yml(project, ONE) == changed(
        ("    PORT: 3000\n", "    PORT: 9000\n"),
        ("  # secret:\n  #   - DATABASE_PASSWORD", "  secret:\n    - SECRET_KEY"),
        ("  path: /up\n  port: 3000\n", f'  cmd: "python -c \\"{command}\\""\n'),
        ("# Next: run", "# Next: write SECRET_KEY into .env, then run"),
    )


def test_the_other_files() -> None:
    project = Project(service="shop", framework=RAILS, image=Image())
    answers = replace(ONE, username="acme")
    files = {file.path: file for file in starter_files(project, answers)}
    assert list(files) == [
        "config/deploy.yml",
        "config/deploy.schema.json",
        ".env",
        ".env.example",
        ".gitignore",
        ".dockerignore",
        "inventory.py",
        *(f"deploys/{name}.py" for name in SCRIPTS),
        *(f".kamal/hooks/{name}.sample" for name in HOOKS),
    ]
    assert (files[".env"].text, files[".env"].mode) == (
        "# Values of the variables of config/deploy.yml.\nKAMAL_REGISTRY_PASSWORD=\n# RAILS_MASTER_KEY=\n",
        0o600,
    )
    assert files[".env.example"].text == (
        "# Copy to .env, fill in, and keep that out of git.\nKAMAL_REGISTRY_PASSWORD=\n# RAILS_MASTER_KEY=\n"
    )
    assert json.loads(files["config/deploy.schema.json"].text)["required"] == [
        "service",
        "image",
        "servers",
    ]
    assert files["config/deploy.schema.json"].text == (ROOT / "docs/reference/deploy.schema.json").read_text()
    assert files["inventory.py"].text == (ROOT / "examples/single-server/inventory.py").read_text()
    bare = {file.path: file for file in starter_files(HELLO, ONE)}
    assert ".dockerignore" not in bare
    assert bare[".env"].text == "# Values of the variables of config/deploy.yml.\n"
    assert bare[".env.example"].text == "# Copy to .env, fill in, and keep that out of git.\n"


def test_the_scripts_are_those_of_this_repository() -> None:
    written = {file.path: file.text for file in starter_files(HELLO, ONE) if file.path.startswith("deploys/")}
    assert written == {f"deploys/{path.name}": path.read_text() for path in (ROOT / "deploys").glob("*.py")}


def test_there_are_kamals_seven_hooks_and_each_says_how_it_is_used() -> None:
    samples = [file for file in starter_files(HELLO, ONE) if "/hooks/" in file.path]
    assert len(samples) == 7
    for sample in samples:
        name = sample.path.removeprefix(".kamal/hooks/").removesuffix(".sample")
        assert sample.text.startswith("#!/bin/sh\n# Runs on this machine")
        assert f"rename it to {name}" in " ".join(sample.text.replace("\n# ", " ").split())
        assert sample.mode == 0o755


def read_back(text: str) -> Config:
    node = parse(text, "config/deploy.yml")
    problems = []
    values = Values({}, Path("/nowhere"))
    tree = TreeBuilder("config/deploy.yml", Template(""), values, problems).build(node)
    assert isinstance(tree, Map)
    config, found = validate(tree, frozenset())
    assert (problems, found) == ([], [])
    return config


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,20}[A-Za-z0-9])?", fullmatch=True)
HOSTS = st.builds(
    Address, host=NAMES | st.ip_addresses().map(str), user=st.none() | NAMES, port=st.none() | st.integers(1, 65535)
)
IMAGES = st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", fullmatch=True)
USERS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: text.isprintable() and bool(text.strip())
)
COMMANDS = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(
    lambda text: text.isprintable() and bool(text.strip()) and "<%" not in text and not text.startswith("curl ")
)


@given(
    hosts=st.lists(HOSTS, min_size=1, max_size=4, unique_by=lambda host: host.host),
    image=IMAGES,
    registry=st.none() | NAMES,
    username=st.none() | USERS,
    command=COMMANDS,
    port=st.integers(1, 65535),
)
def test_what_was_answered_is_what_is_read_back(hosts, image, registry, username, command, port) -> None:
    server = registry if username is not None else None
    answers = Answers(hosts=tuple(hosts), image=image, registry=server, username=username)
    project = Project(service="shop", image=Image(port=port, healthcheck=command))
    config = read_back(deploy_yml(project, answers))
    assert [(server.host, server.user, server.port) for server in config.role("web").servers] == [
        (host.host, host.user, host.port) for host in hosts
    ]
    seen = (config.image, config.registry.server, config.registry.username, config.registry.is_built_in)
    assert seen == (image, server or (None if username else "localhost:5555"), username, username is None)
    expected = command or f"curl -f http://localhost{'' if port == 80 else f':{port}'}/up || exit 1"
    assert config.healthcheck.command == expected


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.1", Address(host="192.0.2.1")),
        ("web1.example.com:22", Address(host="web1.example.com", port=22)),
        ("deploy@web1", Address(host="web1", user="deploy")),
        ("2001:db8::1", Address(host="2001:db8::1")),
        ("me@[2001:db8::1]:2222", Address(host="2001:db8::1", user="me", port=2222)),
    ],
)
def test_a_server_may_come_with_user_and_port(text: str, host: Address) -> None:
    assert to_host(text) == host


@pytest.mark.parametrize("text", ["", "a b", "a,b", "@web1", "web1:", "web1:99999", "web1:x", "a@b@c", "a/b"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        to_host(text)
    assert str(refused.value) == f"--host: {text!r} is no server; write [USER@]HOST[:PORT]"


@pytest.mark.parametrize(
    ("image", "registry", "username", "expected"),
    [
        ("acme/shop", None, None, (None, "acme/shop", None)),
        (None, None, None, (None, "hello", None)),
        ("localhost:5000/shop", None, None, ("localhost:5000", "shop", None)),
        ("localhost:5000/shop", None, "me", ("localhost:5000", "shop", "me")),
        ("docker.io/acme/shop", None, None, (None, "acme/shop", "acme")),
        ("docker.io/acme/shop", None, "me", (None, "acme/shop", "me")),
        ("registry.example.com/a/b/c", None, "me", ("registry.example.com", "a/b/c", "me")),
        ("acme/shop", "https://registry.example.com/", None, ("registry.example.com", "acme/shop", "acme")),
        (None, None, "Me", (None, "me/hello", "Me")),
        ("shop", None, "me", (None, "me/shop", "me")),
        ("shop", "registry.example.com", "me", ("registry.example.com", "shop", "me")),
    ],
)
def test_a_registry_is_wanted_where_one_or_a_user_is_named(image, registry, username, expected) -> None:
    answers = read_answers("hello", hosts=[], image=image, registry=registry, username=username)
    assert (answers.registry, answers.image, answers.username) == expected
    assert answers.hosts == (Address(host="192.0.2.10"),)
    assert answers.guesses == ("servers",)


def test_what_nobody_said_is_to_be_put_right() -> None:
    answers = read_answers("hello", hosts=[], image="registry.example.com/shop", registry=None, username=None)
    assert (answers.username, answers.guesses) == ("acme", ("servers", "user name at the registry"))


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("", (None, None)),
        (" me ", (None, "me")),
        ("registry.example.com/me", ("registry.example.com", "me")),
        ("registry.example.com/me@example.com", ("registry.example.com", "me@example.com")),
        ("registry.example.com", ("registry.example.com", None)),
        ("localhost:5000", ("localhost:5000", None)),
    ],
)
def test_a_registry_may_come_with_its_user(text: str, account: tuple[str | None, str | None]) -> None:
    assert split_account(text) == account


def test_all_that_cannot_be_used_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        read_answers("hello", hosts=["web1"], image="Acme/Shop:v1", registry="a b", username=" ")
    assert str(refused.value) == (
        "--image: 'Acme/Shop:v1' is no image; write [SERVER/]NAME in small letters, without a tag\n"
        "--registry: 'a b' is no registry; write HOST or HOST:PORT\n"
        "--username: is empty or has control characters"
    )


def test_the_file_loads_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.yml").write_text(DEFAULT)
    config = load_config(tmp_path / "deploy.yml", environ={})
    require_secrets(config)
    assert config.primary_host == "192.0.2.10"
