"""The last deploy: kept in a file, shown as a chart of characters and as a page."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from kamal_pyinfra.cli.report import LastDeploy, read_last_deploy
from kamal_pyinfra.cli.views.timeline import timeline_html, timeline_lines
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.runner.progress.timeline import Load, Timeline
from tests.cli.events import Play


def kept(tmp_path: Path, *, failing: bool = False) -> Timeline:
    play = Play(LastDeploy(tmp_path))
    play.begin()
    play.prepare()
    play.boot(failing="web1" if failing else "")
    play.fail() if failing else play.emitter.ended("done")
    return read_last_deploy(tmp_path)


def test_the_file_is_private_and_does_not_make_the_working_tree_dirty(tmp_path: Path) -> None:
    kept(tmp_path)
    file = tmp_path / ".kamal/last-deploy.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (tmp_path / ".kamal/.gitignore").read_text() == ".gitignore\nlast-deploy.json\n"
    assert json.loads(file.read_text())["version"] == "v2"


def test_nothing_that_a_host_printed_is_kept(tmp_path: Path) -> None:
    kept(tmp_path, failing=True)
    assert "no database" not in (tmp_path / ".kamal/last-deploy.json").read_text()


def test_a_run_that_changed_nothing_leaves_the_file_of_the_last_one(tmp_path: Path) -> None:
    kept(tmp_path)
    play = Play(LastDeploy(tmp_path))
    play.begin()
    play.emitter.phase_began("lock", ["web1"])
    play.emitter.ended("failed", "somebody has the lock")
    assert read_last_deploy(tmp_path).result == "done"


def test_a_file_of_an_earlier_kp_can_be_read(tmp_path: Path) -> None:
    """It called the first phase ``look``."""
    kept(tmp_path)
    file = tmp_path / ".kamal/last-deploy.json"
    text = file.read_text()
    assert '"phase": "observe"' in text
    file.write_text(text.replace('"phase": "observe"', '"phase": "look"'))
    found = read_last_deploy(tmp_path)
    assert (found.phases[0].phase, found.spans[0].phase) == ("observe", "observe")


def test_without_file_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist: `kp deploy` writes it"):
        read_last_deploy(tmp_path)


def text(timeline: Timeline, load: Load | None = None, *, width: int = 60) -> str:
    lines = timeline_lines(timeline, load, width=width)
    moment = timeline.time
    return "\n".join(line.plain.replace(moment, "MOMENT") for line in lines)


def test_the_chart_in_a_terminal(tmp_path: Path) -> None:
    load = Load(total=1200, failed=0, versions={"v1": 700, "v2": 500})
    assert text(kept(tmp_path), load) == (
        "deploy of shop v2, MOMENT\n"
        "done after 5.8 s\n"
        "\n"
        "              0                      2.9 s             5.8 s\n"
        "this machine  oooo··········································\n"
        "web1          ····ppppppppbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
        "web2          ····ppppppppbbbbbbbbbbbbbbbb··················\n"
        "\n"
        "o observe  p prepare  b boot\n"
        "\n"
        "observe     0.0 s  0.5 s\n"
        "prepare     0.5 s  1.0 s  Pull the image on web1 1.0 s\n"
        "boot        1.5 s  4.2 s  Boot the primary role on web1 4.2…\n"
        "\n"
        "load: 1200 requests served, 0 failed; v1 700, v2 500"
    )


def test_a_failure_stands_out(tmp_path: Path) -> None:
    shown = text(kept(tmp_path, failing=True))
    assert "failed after 5.8 s" in shown
    assert "web1          ····pppppppp✗✗✗" in shown
    assert "batch" not in shown


def test_the_page_needs_nothing_else_and_obeys_nobody(tmp_path: Path) -> None:
    found = kept(tmp_path).model_copy(update={"version": "<script>alert(1)</script>"})
    page = timeline_html(found, Load(total=10, failed=1, failures=[{"at": 2, "error": "<b>refused"}]))
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page
    assert "9 requests served, 1 failed" in page
    assert "&lt;b&gt;refused" in page
    assert page.count('class="lane"') == 3
    assert "health check 1/28: 503 in 12 ms" in page
    assert "<td>directory .kamal</td><td>not found</td>" in page
