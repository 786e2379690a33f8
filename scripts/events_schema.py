"""Write the schema of a line of ``kp deploy --json`` into docs/reference/, and the table in docs/use/watching.md.

``--check`` writes nothing and exits 1 when a file is not what it would be.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import get_args

from generated import write_or_check

from kamal_pyinfra.runner.progress.events import AnyEvent, EventDocument

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = DOCS / "reference/events.schema.json"
PAGE = DOCS / "use/watching.md"
MARKED = re.compile(r"(<!-- events -->\n).*(<!-- end of events -->)", re.DOTALL)


def schema_text() -> str:
    """The schema as the file holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **EventDocument.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def page_text() -> str:
    """The page with its table of events."""
    rows = "".join(
        f"| `{model.model_fields['event'].default}` | {_what(model)} | {_fields(model)} |\n" for model in _models()
    )
    table = f"\n| event | what happened | fields besides `event` and `at` |\n|---|---|---|\n{rows}\n"
    return MARKED.sub(lambda found: f"{found[1]}{table}{found[2]}", PAGE.read_text())


def _models() -> tuple[type, ...]:
    return get_args(AnyEvent)


def _what(model: type) -> str:
    return str(model.__doc__).splitlines()[0]


def _fields(model: type) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields if name not in ("event", "at"))  # type: ignore[attr-defined]


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({SCHEMA: schema_text(), PAGE: page_text()}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
