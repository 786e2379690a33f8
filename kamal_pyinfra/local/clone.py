"""A clean git clone to build from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.text import sanitized

Argv = list[str]

HAS_LFS: Argv = ["git", "lfs", "version"]


def clone_command(parent: str, root: str) -> Argv:
    """Clone a repository into a folder of its own name below ``parent``."""
    return ["git", "-C", parent, "clone", root, "--recurse-submodules"]


def reset(folder: str, root: str, commit: str) -> list[Argv]:
    """Make a clone that is there already the given commit and nothing else."""
    git = ["git", "-C", folder]
    return [
        [*git, "remote", "set-url", "origin", root],
        [*git, "fetch", "origin"],
        [*git, "reset", "--hard", commit],
        [*git, "clean", "-fdx"],
        [*git, "submodule", "update", "--init", "--recursive"],
    ]


def status_command(folder: str) -> Argv:
    """Print what differs from the commit; nothing in a clean clone."""
    return ["git", "-C", folder, "status", "--porcelain"]


def differs_in_line_ends(folder: str) -> Argv:
    """Succeeds if the files differ from the commit in line ends alone."""
    return ["git", "-C", folder, "diff", "--quiet", "--ignore-cr-at-eol", "HEAD"]


def head(folder: str) -> Argv:
    """Print the full hash of the commit."""
    return ["git", "-C", folder, "rev-parse", "HEAD"]


CLONE_SECONDS = 900
"""For git to copy a repository, or to bring a copy up to date."""

STEERING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Set where kp runs inside a git hook; they would lead git away from the clone."""

MOST_LINES = 10
"""Differences of a clone that an error shows."""


@contextmanager
def clean_clone(config: Config, top: Path, commit: str, programs: Programs) -> Iterator[Path]:
    """The project's folder inside a clone that has nothing but the commit.

    The clone is kept in the folder that Kamal 1.9 keeps it in. If another build uses that, or it is not ours
    alone, a temporary one has to do.

    Args:
        config: whose ``root`` is the project.
        top: root of the repository.
        commit: full hash of the current commit.
        programs: run git.

    Raises:
        BuildFailed: the repository cannot be cloned.
    """
    with ExitStack() as stack:
        hexadecimal = hashlib.sha256(str(config.root).encode()).hexdigest()[:13]
        kept = Path(tempfile.gettempdir(), naming.clone_directory(config, hexadecimal))
        if not (_is_ours(kept) and stack.enter_context(_held(kept))):
            kept = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kp-clone-")))
        clone = kept / top.name
        _prepare(clone, top, commit, programs.having(env={**dict.fromkeys(STEERING), "GIT_TERMINAL_PROMPT": "0"}))
        yield clone / config.root.resolve().relative_to(top.resolve())


def _is_ours(folder: Path) -> bool:
    """Make the folder and the one above; whether nobody else can put anything into them."""
    try:
        for path in (folder.parent, folder):
            path.mkdir(exist_ok=True, mode=0o700)
        return all(_is_private(path) for path in (folder, folder.parent))
    except OSError:
        return False


def _is_private(path: Path) -> bool:
    found = path.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Keep other builds out of the folder; whether it was free."""
    with Path(f"{folder}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _prepare(clone: Path, top: Path, commit: str, programs: Programs) -> None:
    if clone.exists():
        if _is_reset(clone, top, commit, programs):
            return
        programs.say("the kept clone is of no use: cloning anew")
        shutil.rmtree(clone)
    answer = programs.ask(clone_command(str(clone.parent), str(top)), seconds=CLONE_SECONDS)
    if not answer.succeeded:
        raise _failed(top, answer.error)
    if not _is_clean(clone, commit, programs):
        raise _failed(top, "\n  ".join([f"the clone is not a clean {commit}", *_differences(clone, programs)]))


def _is_reset(clone: Path, top: Path, commit: str, programs: Programs) -> bool:
    steps = reset(str(clone), str(top), commit)
    return all(programs.ask(argv, seconds=CLONE_SECONDS).succeeded for argv in steps) and _is_clean(
        clone, commit, programs
    )


def _is_clean(clone: Path, commit: str, programs: Programs) -> bool:
    status = programs.ask(status_command(str(clone)))
    return status.succeeded and not status.out and programs.ask(head(str(clone))).out == commit


def _differences(clone: Path, programs: Programs) -> list[str]:
    """What git says differs in a fresh clone, and why if that can be seen."""
    status = programs.ask(status_command(str(clone)))
    lines = [sanitized(line.strip()) for line in (status.out or status.error).splitlines()]
    shown = [f"  {line}" for line in lines[:MOST_LINES]]
    shown += [f"  and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    if not lines or not status.succeeded:
        return shown
    if programs.ask(differs_in_line_ends(str(clone))).succeeded:
        return [*shown, "Only line ends differ: run `git add --renormalize .` and commit."]
    attributes = clone / ".gitattributes"
    if attributes.is_file() and b"filter=lfs" in attributes.read_bytes() and not programs.ask(HAS_LFS).succeeded:
        return [*shown, "Files are kept with Git LFS, which is not installed here: install git-lfs."]
    if (clone / ".gitmodules").is_file():
        return [*shown, "There are submodules: is the commit of each one pushed?"]
    return shown


def _failed(top: Path, why: str) -> BuildFailed:
    return BuildFailed(
        f"{top} could not be cloned for a clean build:\n  {why}\nSet builder.context: . to build the folder as it is."
    )
