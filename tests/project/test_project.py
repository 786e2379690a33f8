"""`kp init` looks at a folder: Dockerfile, framework, health page, name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.project.scan import (
    DJANGO,
    FASTAPI,
    FLASK,
    NODE,
    RAILS,
    UNKNOWN,
    Project,
    find_framework,
    read_dockerfile,
    read_project,
)


@pytest.mark.parametrize(
    ("text", "port", "healthcheck"),
    [
        ("FROM a\nEXPOSE 8000", 8000, None),
        ("from a\nexpose 8000/tcp 9000", 8000, None),
        ("FROM a\nEXPOSE 8000-8010", 8000, None),
        ("FROM a\nARG PORT=5000\nEXPOSE ${PORT}", 5000, None),
        ("ARG PORT=5000\nFROM a\nEXPOSE $PORT", 5000, None),
        ("FROM a\nEXPOSE ${PORT:-5001}", 5001, None),
        ("FROM a\nEXPOSE 53/udp\nEXPOSE 80", 80, None),
        ("FROM a\nEXPOSE $UNKNOWN", None, None),
        ("FROM a\n# EXPOSE 1\nRUN x", None, None),
        ("FROM a AS build\nEXPOSE 1\nFROM b\nEXPOSE 2", 2, None),
        ("FROM a AS base\nEXPOSE 1\nHEALTHCHECK CMD up\nFROM base AS app", 1, "up"),
        ("FROM a AS base\nHEALTHCHECK CMD up\nFROM base\nHEALTHCHECK NONE", None, None),
        (
            "FROM a\nHEALTHCHECK --interval=5s \\\n  --timeout=3s \\\n  CMD curl -f localhost || exit 1",
            None,
            "curl -f localhost || exit 1",
        ),
        ('FROM a\nHEALTHCHECK CMD ["wget", "-q", "http://localhost/a b"]', None, "wget -q 'http://localhost/a b'"),
        ('FROM a\nHEALTHCHECK CMD ["broken', None, None),
        ("", None, None),
    ],
)
def test_a_dockerfile_tells_port_and_health_check(text: str, port: int | None, healthcheck: str | None) -> None:
    image = read_dockerfile(text)
    assert (image.port, image.healthcheck) == (port, healthcheck)


@given(st.text(alphabet=st.sampled_from('FROM EXPOSE HEALTHCHECK CMD ["]\\\n${}:=ARG as a1 #'), max_size=200))
def test_any_dockerfile_can_be_looked_at(text: str) -> None:
    port = read_dockerfile(text).port
    assert port is None or 0 < port < 65536


FOLDERS = {
    RAILS: {"Gemfile": 'source "https://rubygems.org"\ngem "rails", "~> 8.0"\n', "package.json": "{}"},
    DJANGO: {"requirements.txt": "django>=5\nflask-cors\n"},
    FASTAPI: {"pyproject.toml": '[project]\ndependencies = ["uvicorn", "FastAPI[all]>=0.1"]\n'},
    FLASK: {"requirements/base.txt": "Flask==3.0\n"},
    NODE: {"package.json": '{"name": "x"}', "requirements.txt": "django-environ\n"},
    UNKNOWN: {"Gemfile": 'gem "rails-html"\n', "package.json": "[]", "requirements.txt": "notflask\n"},
}


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("framework", FOLDERS, ids=lambda framework: framework.name)
def test_a_framework_is_known_by_its_dependencies(framework, tmp_path: Path) -> None:
    assert find_framework(fill(tmp_path, FOLDERS[framework])) == framework


def test_django_is_known_by_its_manager_too(tmp_path: Path) -> None:
    assert find_framework(fill(tmp_path, {"manage.py": ""})) == DJANGO


@pytest.mark.parametrize(
    ("file", "text", "path"),
    [
        ("app.py", '@app.get("/healthz")\n', "/healthz"),
        ("src/server/index.ts", "app.get('/health', ok)\n", "/health"),
        ("shop/urls.py", 'path("up/", ok)\n', "/up/"),
        ("shop/views.py", 'return "up"\n', None),
        ("node_modules/x/index.js", "get('/healthz')", None),
        ("tests/test_app.py", 'get("/healthz")', None),
        (".hidden/app.py", 'get("/healthz")', None),
        ("app.txt", '"/healthz"', None),
    ],
)
def test_a_health_page_is_found_in_the_sources(file: str, text: str, path: str | None, tmp_path: Path) -> None:
    assert read_project(fill(tmp_path, {file: text})).health_page == path


PYTHON_UP = "python -c \"from urllib.request import urlopen; urlopen('http://localhost:8000/up')\""


@pytest.mark.parametrize(
    ("dockerfile", "framework", "port", "path", "command"),
    [
        (None, UNKNOWN, 3000, "/up", None),
        (None, RAILS, 3000, "/up", None),
        ("FROM a", FLASK, 8000, "/up", PYTHON_UP),
        ("FROM a\nRUN apt-get install curl", FLASK, 8000, "/up", None),
        ("FROM a\nEXPOSE 80\nHEALTHCHECK CMD curl -f http://localhost/ok", FLASK, 80, "/ok", None),
        (
            "FROM a\nEXPOSE 80\nHEALTHCHECK CMD curl http://localhost:81/ok",
            UNKNOWN,
            80,
            "/ok",
            "curl http://localhost:81/ok",
        ),
        ("FROM a\nHEALTHCHECK CMD bin/health", UNKNOWN, 3000, "/up", "bin/health"),
        ("FROM a\nHEALTHCHECK CMD <%= x %>", UNKNOWN, 3000, "/up", None),
    ],
)
def test_the_health_check_follows_from_both(dockerfile, framework, port, path, command) -> None:
    image = None if dockerfile is None else read_dockerfile(dockerfile)
    project = Project(service="shop", image=image, framework=framework)
    assert (project.port, project.path, project.health_command) == (port, path, command)


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        (None, "my-app-2"),
        ("https://git.example.com/acme/Web_Shop.git", "web_shop"),
        ("git@git.example.com:acme/shop.git", "shop"),
        ("git@git.example.com:shop", "shop"),
        ("/srv/git/héllo.git/", "h-llo"),
    ],
)
def test_the_service_has_the_name_of_the_repository_else_of_the_folder(
    remote: str | None, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "My App (2)"
    folder.mkdir()
    if remote is not None:
        subprocess.run(["git", "init", "-q", folder], check=True)
        subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    assert read_project(folder).service == name
