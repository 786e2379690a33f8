"""Argument lists for git: a clean clone to build from. Source: Kamal 1.9."""

from __future__ import annotations

Argv = list[str]


HAS_LFS: Argv = ["git", "lfs", "version"]


def clone(parent: str, root: str) -> Argv:
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


def status(folder: str) -> Argv:
    """Print what differs from the commit; nothing in a clean clone."""
    return ["git", "-C", folder, "status", "--porcelain"]


def differs_in_line_ends(folder: str) -> Argv:
    """Succeeds if the files differ from the commit in line ends alone."""
    return ["git", "-C", folder, "diff", "--quiet", "--ignore-cr-at-eol", "HEAD"]


def head(folder: str) -> Argv:
    """Print the full hash of the commit."""
    return ["git", "-C", folder, "rev-parse", "HEAD"]
