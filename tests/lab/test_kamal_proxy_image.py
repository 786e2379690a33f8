from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import cast

import pytest

from tests.lab.docker import Docker
from tests.lab.images import Images
from tests.lab.kamal_proxy import durations
from tests.lab.kamal_proxy_image import REFERENCE, STAND_IN, VARIABLE, choose
from tests.lab.process import LabError

IMAGES = Images({"registry": "1", "python": "2", "traefik": "3", "kamal-proxy": "made-here"})


@dataclass
class Engine:
    """Answers as an engine that has some images, and can pull others."""

    has: set[str] = field(default_factory=set)
    can_pull: set[str] = field(default_factory=set)
    is_silent: bool = False
    tagged: list[tuple[str, str]] = field(default_factory=list)

    def has_image(self, image: str) -> bool:
        return image in self.has

    def __call__(self, *words: str, check: bool = True, timeout: float = 600) -> CompletedProcess[str]:
        code, out = 0, ""
        if words[0] == "pull":
            if self.is_silent:
                raise TimeoutExpired("docker pull", timeout)
            code = 0 if words[-1] in self.can_pull else 1
        elif words[0] == "load":
            out = "Loaded image: mine:v9\n"
        elif words[0] == "tag":
            self.tagged.append((words[1], words[2]))
        else:
            out = f"sha256:{words[-1]}\n"
        return CompletedProcess(words, code, out, "")


def chosen(engine: Engine) -> tuple[str, str]:
    """Return the image that the lab's name for kamal-proxy stands for, and what is said of it."""
    images, source = choose(cast("Docker", engine), IMAGES)
    own_name = images["kamal-proxy"]
    return {name: image for image, name in engine.tagged}.get(own_name, own_name), source


@pytest.fixture(autouse=True)
def _no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_docker_hubs_image_serves_where_it_can_be_had() -> None:
    expected = (REFERENCE, f"real, {REFERENCE} from Docker Hub")
    assert chosen(Engine(has={REFERENCE})) == expected
    assert chosen(Engine(can_pull={REFERENCE})) == expected


@pytest.mark.parametrize("is_silent", [False, True])
def test_the_stand_in_serves_where_docker_hub_is_out_of_reach(is_silent: bool) -> None:
    assert chosen(Engine(is_silent=is_silent)) == ("kp-lab-kamal-proxy:made-here", STAND_IN)


def test_an_image_that_is_named_is_the_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "mine:v1")
    assert chosen(Engine(can_pull={"mine:v1", REFERENCE})) == ("mine:v1", "real, from mine:v1")
    tar = tmp_path / "proxy.tar"
    tar.touch()
    monkeypatch.setenv(VARIABLE, str(tar))
    assert chosen(Engine()) == ("mine:v9", f"real, from {tar}")


def test_an_image_that_is_named_and_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mine:v1")
    with pytest.raises(LabError, match="neither a file nor an image that can be pulled: mine:v1"):
        chosen(Engine(can_pull={REFERENCE}))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("30s", "30s"),
        ("60s", "1m0s"),
        ("90m", "1h30m0s"),
        ("1.5s", "1.5s"),
        ("1h2m3.25s", "1h2m3.25s"),
        ("100ms", "100ms"),
        ("0.5ms", "500µs"),
        ("7ns", "7ns"),
        ("-1s", "-1s"),
        ("0", "0s"),
    ],
)
def test_durations_are_written_as_go_does(text: str, written: str) -> None:
    assert durations.write(durations.parse(text)) == written
