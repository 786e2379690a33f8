from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.errors import ConfigError

FIXTURES = Path(__file__).parent.parent / "fixtures"
BASE = {
    "service": "shop",
    "image": "acme/shop",
    "registry": "{username: u, password: [PW]}",
    "servers": "[192.0.2.1]",
}

Load = Callable[..., Config]
Problems = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return tmp_path


@pytest.fixture
def load(project: Path) -> Load:
    """Load a document: the least that is valid, with keys replaced, added or (``None``) left out."""

    def loaded(
        *,
        environ: Mapping[str, str] | None = None,
        destination: str | None = None,
        staging: str | None = None,
        text: str | None = None,
        **keys: str | None,
    ) -> Config:
        lines = [f"{key}: {value}\n" for key, value in (BASE | keys).items() if value is not None]
        content = dedent(text) if text is not None else "".join(lines)
        (project / "config/deploy.yml").write_text(content)
        if staging is not None:
            (project / "config/deploy.staging.yml").write_text(dedent(staging))
            destination = "staging"
        return load_config(destination=destination, environ=environ or {})

    return loaded


@pytest.fixture
def problems(load: Load) -> Problems:
    """The problems of a document as one text, without the name of the main file."""

    def found(**keys: object) -> str:
        with pytest.raises(ConfigError) as error:
            load(**keys)
        return str(error.value).replace("config/deploy.yml:", "")

    return found


def fixture(name: str, destination: str | None = None, **environ: str) -> Config:
    """Load tests/fixtures/deploy_NAME.yml."""
    return load_config(FIXTURES / f"deploy_{name}.yml", destination=destination, environ=environ)
