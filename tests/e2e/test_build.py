"""Builds with BuildKit, here and on a host over SSH; the rest of the suite builds with this machine's plain engine.

What no machine without Docker Hub can show is BuildKit in a container of its own, and so a build for two platforms:
of those builders real buildx makes, describes, remakes and removes what kp asks for.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.e2e.test_secrets_stay import ProcessWatch
from tests.lab.lab import Lab

BUILD_TOKEN = "hush-build-41c7"
NPMRC = "hush-argument-9b02"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
NODES = ((0, "amd64"), (1, "arm64"))
WITH_SECRET = """
ARG NPMRC
RUN --mount=type=secret,id=BUILD_TOKEN sha256sum </run/secrets/BUILD_TOKEN | cut -c1-64 >/app/token
"""


@pytest.fixture
def shop(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample app under git, with a build that needs a secret; buildx is here."""
    project.env |= project.lab.environment_with_buildx(tmp_path_factory.mktemp("docker"))
    project.env |= {"BUILD_TOKEN": BUILD_TOKEN, "NPMRC": NPMRC, "TMPDIR": str(tmp_path_factory.mktemp("tmp"))}
    dockerfile = project.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + WITH_SECRET)
    configure(project)
    git(project, "init", "--quiet")
    git(project, "add", "Dockerfile", "app.py")
    git(project, "commit", "--quiet", "--message", "first")
    return project


def configure(project: Project, **section: object) -> None:
    """Replace what the `builder` section says of builders; without `context` a clean clone is built."""

    def change(config: dict[str, object]) -> None:
        builder = config["builder"]
        args = builder["args"] | {"NPMRC": "${NPMRC}"}  # type: ignore[index]
        config["builder"] = {"args": args, "secrets": ["BUILD_TOKEN"]} | section

    project.change(change)


def git(project: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=N", "-c", "user.email=e@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=project.folder, check=True, capture_output=True)


def buildx(project: Project, *arguments: str) -> str:
    return project.execute(["docker", "buildx", *arguments], version="v1").stdout


def remote(lab: Lab, host: str = "job1", arch: str = ARCH) -> dict[str, str]:
    return {"arch": arch, "host": f"ssh://root@{lab.hosts[host]}"}


def test_a_remote_host_builds_what_all_hosts_then_run(shop: Project) -> None:
    """A build host reached over SSH must build the commit and push it, and no secret may be seen there or here."""
    lab = shop.lab
    configure(shop, remote=remote(lab), driver="docker")
    (shop.folder / "app.py").write_text("not committed")
    with ProcessWatch(shop, (BUILD_TOKEN, NPMRC, lab.registry.password)) as watch:
        delivered = shop.kp("build", "deliver", version="b1")
    assert watch.hits == []
    assert not [s for s in (BUILD_TOKEN, lab.registry.password) if s in delivered.stdout + delivered.stderr]
    image = f"{lab.registry.server}/shop:b1"
    for host in ("web1", "web2", "job1"):
        assert lab.ssh(host, f"docker image inspect -f '{{{{.Config.Labels.service}}}}' {image}").stdout == "shop\n"
    assert "uncommitted changes are ignored" in delivered.stdout
    history = lab.ssh("job1", f"docker history --no-trunc {image}; docker inspect {image}").stdout
    assert BUILD_TOKEN not in history
    token = lab.ssh("web2", f"docker run --rm {image} cat /app/token").stdout.strip()
    assert token == hashlib.sha256(BUILD_TOKEN.encode()).hexdigest()
    assert lab.docker("image", "inspect", image, check=False).returncode != 0
    shop.kp("setup", version="b1")
    assert shop.served("web1") == "b1"
    assert shop.kp("plan", version="b1").stdout == "shop b1: nothing to change.\n"
    shop.kp("deploy", version="b2")
    assert shop.served("web2") == "b2"
    (clone,) = Path(shop.env["TMPDIR"]).glob(f"kamal-clones/shop-*/{shop.folder.name}")
    assert (clone / "app.py").read_text() != "not committed"


def test_the_engine_here_builds_with_a_secret(shop: Project) -> None:
    """A native build must have its secret and show its output; a failing build or pull must end with docker's words."""
    configure(shop, multiarch=False)
    pushed = shop.kp("build", "push", version="v7")
    assert "naming to" in pushed.stdout
    image = f"{shop.lab.registry.server}/shop:v7"
    token = shop.lab.docker("run", "--rm", image, "cat", "/app/token").stdout.strip()
    assert token == hashlib.sha256(BUILD_TOKEN.encode()).hexdigest()
    (shop.folder / "Dockerfile").write_text("FROM nothing-of-that-name-here\nRUN false\n")
    configure(shop, multiarch=False, context=".")
    failed = shop.kp("build", "push", version="v8", code=1)
    assert failed.stderr.startswith(f"{shop.lab.registry.server}/shop:v8 could not be built\n`docker build` failed")
    assert "nothing-of-that-name-here" in failed.stderr
    unknown = shop.kp("build", "pull", "-h", shop.lab.hosts["web2"], version="never-built", code=1).stderr
    assert unknown.startswith(f"{shop.lab.hosts['web2']} failed (pull: Pull the image)\n")
    assert "Nothing was switched; the other hosts have the image." in unknown


def test_builders_are_made_remade_and_removed_as_configured(shop: Project) -> None:
    """Real buildx must know the builders under Kamal's names, with the nodes and platforms of the configuration."""
    lab = shop.lab
    configure(shop, local=remote(lab, "web1", "amd64"), remote=remote(lab, "web2", "arm64"))
    name = "kamal-shop-multiarch-remote"
    assert f"Created {name}\n" in shop.kp("build", "create").stdout
    assert shop.kp("build", "create").stdout == f"Already there: {name}\n"
    nodes = [line.split() for line in shop.kp("build", "details").stdout.splitlines() if f"_ {name}" in line]
    assert [["\\_", f"{name}{n}", "\\_", f"{name}-{arch}", "inactive", f"linux/{arch}*"] for n, arch in NODES] == nodes[
        :2
    ]
    configure(shop, local=remote(lab, "web1", "amd64"), remote=remote(lab, "job1", "arm64"))
    assert f"Created {name}\n" in shop.kp("build", "create").stdout
    assert f"Context: {name}-arm64 at ssh://root@{lab.hosts['job1']}\n" in shop.kp("build", "details").stdout
    assert BUILD_TOKEN not in shop.kp("build", "details").stdout
    assert shop.kp("build", "remove").stdout == f"Removed {name}\n"
    assert name not in buildx(shop, "ls")
    for section, created in (({"multiarch": True}, "multiarch"), (cached(), "native-cached")):
        configure(shop, **section)
        assert f"Created kamal-shop-{created}\n" in shop.kp("build", "create").stdout
        assert "docker-container" in buildx(shop, "inspect", f"kamal-shop-{created}")
    configure(shop, remote={"arch": ARCH, "host": f"ssh://root@{lab.hosts['web1']}:9"}, driver="docker")
    refused = shop.kp("build", "push", code=1).stderr
    assert refused.startswith(f"The build host ssh://root@{lab.hosts['web1']}:9 does not answer:")
    assert "Connection refused" in refused


def cached() -> dict[str, object]:
    return {"multiarch": False, "cache": {"type": "registry"}}
