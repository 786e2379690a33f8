"""What is not loaded with the engine comes when it is used, and is the real thing."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys, kamal_pyinfra.runner.engine\n"


def said(script: str) -> list[str]:
    """Run in a process of its own: in this one everything is loaded."""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stderr == ""
    return ran.stdout.splitlines()


def test_nothing_stands_in_for_a_module_once_the_engine_is_loaded() -> None:
    script = LOADED + (
        "import jinja2, packaging.version, unittest.mock, invoke\n"
        "print(jinja2.Template('a {{ b }}').render(b=3), packaging.version.Version('1.2'))\n"
        "print(unittest.mock.Mock.__module__, invoke.run.__module__)"
    )
    assert said(script) == ["a 3 1.2", "unittest.mock invoke"]


def test_pyinfras_templates_are_made_by_jinja() -> None:
    script = LOADED + (
        "from io import StringIO\n"
        "from pyinfra.api.util import get_template\n"
        "print('jinja2' in sys.modules)\n"
        "template = get_template(StringIO('{{ name }}'))\n"
        "print(template.render(name='shop'))\n"
        "try: template.render()\n"
        "except Exception as error: print(type(error).__name__)"
    )
    assert said(script) == ["False", "shop", "UndefinedError"]


def test_pyinfras_requirements_are_checked_by_packaging() -> None:
    script = LOADED + (
        "from pyinfra.api.config import check_pyinfra_version\n"
        "check_pyinfra_version('>=3')\n"
        "try: check_pyinfra_version('>=99')\n"
        "except Exception as error: print(error)"
    )
    (line,) = said(script)
    assert line.startswith("pyinfra version requirement not met (requires >=99")


@pytest.mark.parametrize(("value", "is_right"), [("'x'", "True"), ("3", "False")])
def test_arguments_of_operations_are_checked_as_ever(value: str, is_right: str) -> None:
    script = LOADED + (
        "from typeguard import TypeCheckError, check_type\n"
        f"try: check_type({value}, str); print(True)\n"
        "except TypeCheckError: print(False)"
    )
    assert said(script) == [is_right]


def test_what_was_loaded_before_stays() -> None:
    script = "import jinja2, pyinfra.api.util\n" + LOADED + "print(pyinfra.api.util.Environment is jinja2.Environment)"
    assert said(script) == ["True"]
