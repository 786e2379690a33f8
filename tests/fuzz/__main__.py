"""``python -m tests.fuzz TARGET SECONDS``: coverage-guided fuzzing of one reader with atheris, for longer than CI."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kamal_pyinfra", "dotenv", "yaml"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until the time is over; an input that fails is left in the working directory."""
    name, seconds = sys.argv[1], int(sys.argv[2])
    target, kept = TARGETS[name], Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="kp-fuzz-"))
    os.chdir(folder)
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(seed)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if len(word) < 60))
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-max_len=20000", "-rss_limit_mb=2048"]
    found = f"-artifact_prefix={kept}/fuzz-{name}-"
    atheris.Setup([sys.argv[0], str(corpus), f"-dict={words}", found, *limits], target.read)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
