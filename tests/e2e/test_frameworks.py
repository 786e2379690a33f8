"""The examples of frameworks, each with the Dockerfile and the configuration that its page shows.

What a machine without Docker Hub lacks is in their base images: Node, Ruby and Rails from Debian, and pip with the
wheels that the examples ask for.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.bases import build_node, build_python, build_ruby
from tests.e2e.project import CHECKOUT, Project, standard_config
from tests.lab.lab import Lab

FRAMEWORKS = {"django": "web1", "fastapi": "web2", "flask": "job1", "node": "web1", "rails": "web2"}
RELEASE = "deploys/release.py"


@pytest.fixture(scope="module")
def bases(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Images like Docker Hub's for Python, Node and Ruby, by the example that is built on them."""
    kinds = {"python": build_python, "node": build_node, "ruby": build_ruby}
    tags = {kind: f"{lab.name}-{kind}" for kind in kinds}
    for kind, build in kinds.items():
        build(lab, tmp_path_factory.mktemp(kind), tags[kind])
    yield {name: tags[{"node": "node", "rails": "ruby"}.get(name, "python")] for name in FRAMEWORKS}
    lab.docker("image", "rm", "--force", *tags.values(), check=False)


def example(lab: Lab, framework: str, folder: Path, base: str) -> Project:
    """The example as it is, with the lab's host, registry, proxy and base image."""
    shutil.copytree(CHECKOUT / "examples" / framework, folder, ignore=shutil.ignore_patterns("__pycache__"))
    standard = standard_config(lab)
    config: dict[str, Any] = yaml.safe_load((folder / "config/deploy.yml").read_text())
    config |= {key: standard[key] for key in ("image", "registry", "ssh", "traefik")}
    config["image"] = framework
    config["servers"] = {"web": {"hosts": [lab.hosts[FRAMEWORKS[framework]]]}}
    config["builder"] |= {"args": {"BASE": base}, "context": "."}
    if FRAMEWORKS[framework] != "job1":  # two apps on one host, told by their names
        config["labels"] = {f"traefik.http.routers.{framework}-web.rule": f"Host(`{framework}.example.com`)"}
    project = Project(lab, folder, {"SECRET_KEY": "hush-3f1a", "SECRET_KEY_BASE": "hush-9c41"})
    project.write(config)
    return project


def greeting(project: Project) -> str:
    service = project.config["service"]
    host = project.lab.hosts[FRAMEWORKS[service]]
    command = ["curl", "-sS", "-H", f"Host: {service}.example.com", f"http://{host}/"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def is_served(project: Project, version: str) -> bool:
    names = {"django": "Django", "fastapi": "FastAPI", "flask": "Flask", "node": "Node", "rails": "Rails"}
    return f"from {names[project.config['service']]} {version}" in greeting(project)


@pytest.fixture(scope="module")
def examples(empty_hosts: Lab, bases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    folder = tmp_path_factory.mktemp("examples")
    return {name: example(empty_hosts, name, folder / name, bases[name]) for name in FRAMEWORKS}


def test_each_example_builds_deploys_and_brings_its_next_version(examples: dict[str, Project]) -> None:
    """Every tutorial's commands must work with the files beside it, and the new version must serve as the page says."""

    def story(*names: str) -> None:
        for name in names:
            project = examples[name]
            project.kp("setup", version="v1")
            assert is_served(project, "v1"), name
            project.kp("deploy", version="v2")
            assert is_served(project, "v2"), name
            assert project.kp("plan", version="v2").stdout == f"{name} v2: nothing to change.\n"

    with ThreadPoolExecutor() as pool:  # two hosts at a time: a build and the start of an app take a processor each
        for done in [pool.submit(story, "rails", "fastapi"), pool.submit(story, "django", "node", "flask")]:
            done.result()
    project = examples["fastapi"]
    project.kp("rollback", "v1", version="v2")
    assert is_served(project, "v1")


def test_the_scripts_of_the_cookbook_work(examples: dict[str, Project]) -> None:
    """Operations of one's own before a deploy, a fact asked, and an inventory changed, as the page shows them."""
    project = examples["flask"]
    text = (CHECKOUT / "docs/use/cookbook.md").read_text()
    blocks = {
        name: text.partition(f"<!-- example: {name} -->")[2].partition("```python\n")[2].partition("```")[0]
        for name in ("release", "ask", "inventory")
    }
    (project.folder / "deploys").mkdir()
    (project.folder / RELEASE).write_text(blocks["release"])
    (project.folder / "ask.py").write_text(blocks["ask"].replace('service="hello"', 'service="flask"'))
    (project.folder / "inventory.py").write_text(blocks["inventory"])
    project.pyinfra("inventory.py", RELEASE, "-y", "--data", "version=v3", version="v3")
    assert is_served(project, "v3")
    assert "keep=all" in project.lab.ssh("job1", "cat /etc/hello.conf").stdout
    assert project.lab.ssh("job1", "stat -c %a /srv/uploads").stdout == "755\n"
    said = project.pyinfra("inventory.py", "ask.py", "--dry", version="v3")
    assert "web runs v3" in said.stdout + said.stderr
