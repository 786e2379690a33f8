"""What a host has besides containers: Docker, folders, secret files, audit lines, and records of edited files."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.shell.script import guarded, quoted

DOCTOR_SECONDS = 40  # for the whole script; a host that needs longer counts as hung
SECRET_FOLDERS = ("/env/roles", "/env/traefik", "/env/accessories")
NOT_LISTED = "not-listed"  # stands among the paths of edited files, or for all of them, where the list is not whole


def doctor_script(*, registry: str, run_directory: str) -> str:
    """What examines a host and the folder that a deploy would use; it exits 0 whatever it finds."""
    name, _, port = registry.partition(":")
    asked = (registry, name, port or "443") if registry else ()
    return guarded(f"examine_host {quoted(run_directory, *asked)}", seconds=DOCTOR_SECONDS)


def make_directories(paths: tuple[str, ...]) -> str:
    """Create folders, whatever the umask; those for secrets are for their owner only."""
    secret = [path for path in paths if path.endswith(SECRET_FOLDERS)]
    return f"( umask 022 && mkdir -p {quoted(*paths)} )" + (f" && chmod 700 {quoted(*secret)}" if secret else "")


def measured(content: str) -> str:
    """What is sent for a text that must arrive whole: its length in bytes on a line of its own, then the text."""
    text = content if content.endswith("\n") else f"{content}\n"  # what is sent gets its line break on the way
    return f"{len(text.encode())}\n{text}"


def write_secret(path: str) -> str:
    """Put measured standard input into a file that only its owner can read at any instant, all at once."""
    return f"write_secret {quoted(path)}"


def remove_directories(paths: tuple[str, ...]) -> str:
    """Remove folders with everything in them."""
    return f"rm -rf {quoted(*paths)}" if paths else ""


def remove_files(paths: tuple[str, ...]) -> str:
    """Remove files; one that is gone already will do."""
    return f"rm -f {quoted(*paths)}" if paths else ""


def protect(path: str) -> str:
    """Let only the owner read a file."""
    return f"chmod 600 {quoted(path)}"


def remove_empty_directories(path: str) -> str:
    """Remove a folder and those below it as far as nothing is in them."""
    return f"{{ [ ! -d {quoted(path)} ] || find {quoted(path)} -depth -type d -empty -delete; }}"


def line(message: str, *, log: str, at: str, performer: str, destination: str = "", role: str = "") -> str:
    """Append ``[TIME] [PERFORMER] [DESTINATION] [ROLE] MESSAGE``; brackets without content are left out."""
    tags = " ".join(f"[{tag}]" for tag in (at, performer, destination, role) if tag)
    text = f"{tags} {message}".replace("\n", " ")
    return f"printf '%s\\n' {quoted(text)} >> {quoted(log)}"


def recent(log: str, *, lines: int) -> str:
    """The last lines; nothing where there is no log yet."""
    return f"[ ! -e {quoted(log)} ] || tail -n {quoted(lines)} {quoted(log)}"


def record_edits(directory: str, containers: Sequence[str]) -> str:
    """Record what differs from the image today in containers that run, a file for each; for others nothing is kept."""
    return f"record_edits {quoted(directory, *containers)}" if containers else ""
