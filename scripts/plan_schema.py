"""Write the schema of ``kp plan --json`` into docs/reference/, from the models of its document.

``--check`` writes nothing and exits 1 when the file is not what it would be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generated import write_or_check

from kamal_pyinfra.plan.output.document import PlanDocument

SCHEMA = Path(__file__).parent.parent / "docs/reference/plan.schema.json"


def schema_text() -> str:
    """The schema as the file holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanDocument.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({SCHEMA: schema_text()}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
