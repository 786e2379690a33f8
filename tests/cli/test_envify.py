"""`kp envify` on this machine: the file is written from the environment alone."""

from __future__ import annotations

from pathlib import Path

from tests.cli.test_main import MORE, kp


def test_without_a_template_there_is_only_a_message(tmp_path: Path) -> None:
    done = kp(tmp_path, "envify", "-d", "staging")
    said = "Nothing to do: there is no .env.staging.erb or .env.staging.tpl or .env.staging.j2.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert list(tmp_path.iterdir()) == []


def test_an_old_env_file_does_not_come_back(tmp_path: Path) -> None:
    """Kamal 1.9 §8.1: what the old file says must not be what the new one is made of."""
    (tmp_path / ".env").write_text("TOKEN=old\n")
    (tmp_path / ".env.erb").write_text('TOKEN=<%= ENV["TOKEN"] %>\n')
    refused = kp(tmp_path, "envify", "-P")
    assert refused.returncode == 3
    assert refused.stderr == (
        f'.env.erb:1:7 TOKEN is not set; export it, or write <%= ENV.fetch("TOKEN", "") %> if it may be empty\n{MORE}'
    )
    assert (tmp_path / ".env").read_text() == "TOKEN=old\n"
    done = kp(tmp_path, "envify", "-P", TOKEN="new")
    assert (done.returncode, done.stdout) == (0, "Wrote .env from .env.erb.\n")
    assert (tmp_path / ".env").read_text() == "TOKEN=new\n"


def test_without_skip_push_the_secrets_are_pushed(tmp_path: Path) -> None:
    """The push reads the configuration, which is not there: the file is written all the same."""
    (tmp_path / ".env.staging.tpl").write_text("TOKEN={{ TOKEN }}\n")
    done = kp(tmp_path, "envify", "-d", "staging", TOKEN="new")
    assert (done.returncode, done.stdout) == (3, "Wrote .env.staging from .env.staging.tpl.\n")
    assert "config/deploy.yml" in done.stderr
    assert (tmp_path / ".env.staging").read_text() == "TOKEN=new\n"
