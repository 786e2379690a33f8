"""A `docker` for PATH: keeps contexts and builders as files, writes down what it was told, fails when asked to.

It reads its orders from the folder in FAKE_DOCKER: `buildx` (the plugin is there), `unreachable` (no build host
answers), `hangs` (a build goes on until this goes) and `fails` (a word of a command, then what that command says
before it exits with 1).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> int:
    folder = Path(os.environ["FAKE_DOCKER"])
    call = {
        "argv": argv,
        "pid": os.getpid(),
        "cwd": str(Path.cwd()),
        "typed": sys.stdin.read() if argv[0] == "login" else "",
        "env": dict(os.environ),
        "ssh": shutil.which("ssh"),
        "files": sorted(path.name for path in Path().iterdir() if not path.name.startswith(".git")),
    }
    with (folder / "calls").open("a") as log:
        log.write(json.dumps(call) + "\n")
    word, _, said = (folder / "fails").read_text().partition("\n") if (folder / "fails").exists() else ("", "", "")
    if word in argv:
        print(said, end="")
        return 1
    return answer(folder, argv)


def answer(folder: Path, argv: list[str]) -> int:
    match argv:
        case ["buildx", *_] if not (folder / "buildx").exists():
            return fail("docker: unknown command: docker buildx")
        case ["context", "inspect", name, *_]:
            return show(folder / f"context-{name}", f'context "{name}": context not found: open meta.json')
        case ["buildx", "inspect", name]:
            return show(folder / f"builder-{name}", f'ERROR: no builder "{name}" found')
        case ["context", "create", name, "--description", _, "--docker", host]:
            (folder / f"context-{name}").write_text(host.removeprefix("host="))
        case ["buildx", "create", *words]:
            name = words[words.index("--name") + 1]
            (folder / f"builder-{name}").write_text(" ".join(words))
        case ["context", "rm", name]:
            return drop(folder / f"context-{name}", f'context "{name}" does not exist')
        case ["buildx", "rm", name]:
            return drop(folder / f"builder-{name}", f'no builder "{name}" found')
        case ["--context", _, "version", *_] if (folder / "unreachable").exists():
            return fail("ssh: connect to host 192.0.2.9 port 22: Connection refused")
        case ["build" | "push", *_] | ["buildx", "build", *_] | ["--context", _, "buildx", "build", *_]:
            print("a line of the build", flush=True)
            while (folder / "hangs").exists():
                time.sleep(0.05)
        case _:
            print("said by docker")
    return 0


def show(path: Path, complaint: str) -> int:
    if not path.exists():
        return fail(complaint)
    print(path.read_text())
    return 0


def drop(path: Path, complaint: str) -> int:
    if not path.exists():
        return fail(complaint)
    path.unlink()
    return 0


def fail(complaint: str) -> int:
    print(complaint, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
