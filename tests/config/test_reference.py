"""docs/reference/configuration.md and the JSON Schema are what the models say."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.config.accessory import Mount

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts/config_reference.py"


def reference_module():
    spec = importlib.util.spec_from_file_location("config_reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = reference_module()
MODELS = list(REFERENCE.sections())


def test_the_generated_files_are_current() -> None:
    assert REFERENCE.main(["--check"]) == 0


def test_stale_files_fail_the_check_and_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(REFERENCE, "DOCS", tmp_path)
    assert REFERENCE.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path}/configuration.md is stale; run scripts/docs\n"
        f"{tmp_path}/deploy.schema.json is stale; run scripts/docs\n"
    )
    assert REFERENCE.main([]) == 0
    assert REFERENCE.main(["--check"]) == 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_of_every_section_is_documented(model) -> None:
    title = REFERENCE.sections()[model][0] or "Root keys"
    section = (
        (ROOT / "docs/reference/configuration.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    )
    keys = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert keys == [name for name in model.model_fields if (model, name) != (Server, "host")]
    assert all(field.description for field in model.model_fields.values())


def test_no_section_is_forgotten() -> None:
    assert Config in MODELS
    assert Mount not in MODELS
    assert len(MODELS) == 17


def test_the_schema_is_json_and_knows_the_root_keys() -> None:
    schema = json.loads((ROOT / "docs/reference/deploy.schema.json").read_text())
    assert list(schema["properties"]) == list(Config.model_fields)
    assert schema["required"] == ["service", "image", "servers"]
    assert schema["additionalProperties"] is False


def test_the_configuration_needs_no_pyinfra() -> None:
    code = (
        "import sys, kamal_pyinfra.config, kamal_pyinfra.project.version;"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(loaded & {'pyinfra', 'gevent', 'paramiko', 'click'}))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
