"""The examples of frameworks, each with the Dockerfile and the configuration that its page shows.

What a machine without Docker Hub lacks is in their base images: Node, Ruby and Rails from Debian, and pip with the
wheels that the examples ask for.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.bases import build_node, build_python, build_ruby
from tests.e2e.project import CHECKOUT, Project, standard_config
from tests.lab.lab import Lab

FRAMEWORKS = {"django": "web1", "fastapi": "web2", "flask": "job1", "node": "web1", "rails": "web2"}
KINDS = {"node": "node", "rails": "ruby"}
"""Examples that are not built on Python."""

BUILD = {"python": build_python, "node": build_node, "ruby": build_ruby}
RELEASE = "deploys/release.py"


class Bases:
    """Images like Docker Hub's for Python, Node and Ruby; each is built when an example first asks for it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.tags: dict[str, str] = {}

    def of(self, framework: str) -> str:
        """The image on which an example is built."""
        kind = KINDS.get(framework, "python")
        if kind not in self.tags:
            (self.folder / kind).mkdir()
            BUILD[kind](self.lab, self.folder / kind, f"{self.lab.name}-{kind}")
            self.tags[kind] = f"{self.lab.name}-{kind}"
        return self.tags[kind]


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
def examples(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Project]]:
    """The folder of an example, made when it is first asked for."""
    lab, folder = empty_hosts, tmp_path_factory.mktemp("examples")
    bases = Bases(lab, tmp_path_factory.mktemp("bases"))
    yield functools.cache(lambda name: example(lab, name, folder / name, bases.of(name)))
    if bases.tags:
        lab.docker("image", "rm", "--force", *bases.tags.values(), check=False)


@pytest.mark.parametrize("names", [("flask",), ("django", "fastapi"), ("rails", "node")], ids=", ".join)
def test_the_examples_build_deploy_and_bring_their_next_version(
    examples: Callable[[str], Project], names: tuple[str, ...]
) -> None:
    """Every tutorial's commands must work with the files beside it, and the new version must serve as the page says."""

    def story(project: Project) -> None:
        name = project.config["service"]
        project.kp("setup", version="v1")
        assert is_served(project, "v1"), name
        project.kp("deploy", version="v2")
        assert is_served(project, "v2"), name
        assert project.kp("plan", version="v2").stdout == f"{name} v2: nothing to change.\n"

    with ThreadPoolExecutor() as pool:  # each on a host of its own
        for done in [pool.submit(story, project) for project in [examples(name) for name in names]]:
            done.result()
    last = examples(names[-1])
    last.kp("rollback", "v1", version="v2")
    assert is_served(last, "v1")


def test_the_scripts_of_the_cookbook_work(examples: Callable[[str], Project]) -> None:
    """Operations of one's own before a deploy, a fact asked, and an inventory changed, as the page shows them."""
    project = examples("flask")
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
