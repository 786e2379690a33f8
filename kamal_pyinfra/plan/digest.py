"""A short fingerprint of everything that would need a new container if it changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def digest_text(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return digest_bytes(text)


def digest_bytes(content: str | bytes) -> str:
    """SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def digest_values(values: Mapping[str, object]) -> str:
    """The fingerprint of named values; their order does not matter, the order inside lists does.

    Args:
        values: anything that JSON can hold, tuples and dataclass fields included.

    Returns:
        32 hexadecimal digits.
    """
    return digest_text(json.dumps(values, sort_keys=True, default=list, ensure_ascii=True))[:32]
