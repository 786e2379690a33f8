"""From the wheel to a deployed app, a new version and back, by typing just what the quickstart says.

The newcomer's machine is a host of the lab with sshd and nothing else. What a real one has beyond it is what the page
takes for granted: a server's key, a name for git, and PyPI and Docker Hub, for which folders and a mirror stand in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kamal_pyinfra.config.image import BUILT_IN_IMAGE
from kamal_pyinfra.config.traefik import Traefik
from tests.e2e.bases import build_python
from tests.lab import images
from tests.lab.lab import Lab
from tests.newcomer import desk, hub
from tests.newcomer.page import PAGE, commands
from tests.newcomer.story import SERVER, STEPS, Newcomer, Step, log_in


@pytest.fixture
def images_of_hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What stands for the images of Docker Hub that the example, kp and its proxy ask for."""
    lab, ours, tag = Lab.load(), images.wanted(), f"{Lab.load().name}-newcomer"
    (tmp_path / "python").mkdir()
    build_python(lab, tmp_path / "python", tag)
    yield {"python:3.13-slim": tag, BUILT_IN_IMAGE: ours["registry"], Traefik().image: ours["traefik"]}
    lab.docker("image", "rm", "--force", tag, check=False)


@pytest.fixture
def newcomer(images_of_hub: dict[str, str], tmp_path: Path) -> Iterator[Newcomer]:
    lab = Lab.load()
    desk.build_wheels(lab, tmp_path / "wheels")
    with hub.docker_hub(lab, images_of_hub) as mirror, desk.desk(lab, tmp_path / "wheels") as with_desk:
        with_desk.recreate(SERVER)
        for host in (desk.NAME, SERVER):
            hub.use(with_desk, host, mirror)
        somebody = Newcomer(with_desk, tmp_path, log_in(with_desk))
        yield somebody
        somebody.terminal.close()
        with_desk.recreate(SERVER)


def take(newcomer: Newcomer, step: Step) -> None:
    """Type a line of the page, with the newcomer's own server and version, and look what came of it."""
    step.before(newcomer)
    seen = newcomer.terminal.type(
        newcomer.own(step.line), *((question, newcomer.own(answer)) for question, answer in step.answers)
    )
    missing = [words for words in step.says if words not in seen.text]
    assert (seen.code, missing) == (step.code, []), f"{step.line} ended with {seen.code}:\n{seen.text}"
    step.check(newcomer, seen)


def test_every_command_of_the_page_is_a_step() -> None:
    """What the page tells to type must be what is typed below, in its order, and nothing beside it."""
    assert [step.line for step in STEPS] == commands(PAGE.read_text())


@pytest.mark.lab
def test_a_newcomer_gets_from_the_wheel_to_a_new_version_and_back(newcomer: Newcomer) -> None:
    """Somebody with a fresh machine, a bare server and this page alone must succeed with each of its lines."""
    for step in STEPS:
        take(newcomer, step)
