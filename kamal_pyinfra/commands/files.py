"""Folders and secret files on a host."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import words

SECRET_FOLDERS = ("/env/roles", "/env/traefik", "/env/accessories")


def make_directories(paths: tuple[str, ...]) -> str:
    """Create folders, whatever the umask; those for secrets are for their owner only."""
    secret = [path for path in paths if path.endswith(SECRET_FOLDERS)]
    return f"( umask 022 && mkdir -p {words(*paths)} )" + (f" && chmod 700 {words(*secret)}" if secret else "")


CUT_SHORT = "the connection ended before all of it had come; nothing was changed"


def measured(content: str) -> str:
    """What is sent for a text that must arrive whole: its length in bytes on a line of its own, then the text.

    A host cannot tell the end of what it is sent from the end of a connection. The last line ends in any case: what is
    sent gets its line break on the way.
    """
    text = content if content.endswith("\n") else f"{content}\n"
    return f"{len(text.encode())}\n{text}"


def receive(draft: str, *, decode: str = "cat") -> str:
    """Shell text that puts measured standard input into a draft, and fails if it is not whole.

    Args:
        draft: a shell word; nobody else may be able to write there.
        decode: what the text goes through; the length is that of the outcome.
    """
    return f'read -r length && {decode} > {draft} && [ "$(wc -c < {draft})" -eq "$length" ]'


def write_secret(path: str) -> str:
    """Put measured standard input into a file that nobody else could read at any instant, and all at once."""
    target, draft = words(path), words(f"{path}.tmp")
    # A draft that is already there may be open to others, and stays so when it is written to.
    return (
        f"( umask 077; rm -f {draft}; {{ {receive(draft)}; }} || "
        f"{{ rm -f {draft}; echo {words(f'{path}: {CUT_SHORT}')} >&2; exit 1; }}; mv -f {draft} {target} )"
    )


def remove_directories(paths: tuple[str, ...]) -> str:
    """Remove folders with everything in them."""
    return f"rm -rf {words(*paths)}"


def remove_files(paths: tuple[str, ...]) -> str:
    """Remove files; one that is gone already will do."""
    return f"rm -f {words(*paths)}"


def protect(path: str) -> str:
    """Let nobody but the owner read a file."""
    return f"chmod 600 {words(path)}"


def remove_empty_directories(path: str) -> str:
    """Remove a folder and those below it as far as nothing is in them."""
    return f"{{ [ ! -d {words(path)} ] || find {words(path)} -depth -type d -empty -delete; }}"
