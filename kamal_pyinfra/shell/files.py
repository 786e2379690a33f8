"""Folders, secret files, audit lines, and files edited inside containers."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.shell.script import chain, words

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


def line(message: str, *, log: str, at: str, performer: str, destination: str = "", role: str = "") -> str:
    """Append ``[TIME] [PERFORMER] [DESTINATION] [ROLE] MESSAGE``; brackets without content are left out."""
    tags = " ".join(f"[{tag}]" for tag in (at, performer, destination, role) if tag)
    text = f"{tags} {message}".replace("\n", " ")
    return f"printf '%s\\n' {words(text)} >> {words(log)}"


def recent(log: str, *, lines: int) -> str:
    """The last lines; nothing where there is no log yet."""
    return f"[ ! -e {words(log)} ] || tail -n {words(lines)} {words(log)}"


LIST_SECONDS = 10

MOST_FILES = 10_000
"""An app that keeps its uploads in its container has many, and each is looked for in every layer."""

NOT_LISTED = "not-listed"
"""Stands among the paths, or for all of them, where the list is not whole."""

LAYERS_FORMAT = "{{.SizeRw}}{{println}}{{with .GraphDriver.Data}}{{.UpperDir}}{{println}}{{.LowerDir}}{{end}}"
"""The size of the container's own layer, where that is, and where those of its image are."""

# Folders appear too when something in them is new, so only what has nothing below it counts.
DOCKER_DIFF = (
    f'{{ timeout {LIST_SECONDS} docker diff "$1" 2> /dev/null || echo "? {NOT_LISTED}"; }} | '
    'awk \'$1 == "?" { lost = $2; next }\n{ path = substr($0, 3); kind[path] = $1\n'
    'for (at = path; match(at, "/[^/]*$") && RSTART > 1; folder[at] = 1) at = substr(at, 1, RSTART - 1) }\n'
    'END { if (lost) print lost; else for (path in kind) if (kind[path] != "A" && !(path in folder)) print path }\''
)

# What the container added is in none of the layers below; what it removed was in one of them.
OWN_LAYER = f"""( cd "$upper" && find . ! -type d ) 2> /dev/null | cut -c2- |
  sed '{MOST_FILES + 1}{{s/.*/{NOT_LISTED}/;q;}}' |
  while IFS= read -r path; do
    if [ "$path" = {NOT_LISTED} ]; then echo "$path"; break; fi
    if [ -c "$upper$path" ]; then echo "$path"; continue; fi
    IFS=:; for layer in $lower; do
      if [ -e "$layer$path" ] || [ -L "$layer$path" ]; then echo "$path"; break; fi
    done
  done"""

CHANGED_FILES = f"""layers() {{
  layers=$(docker inspect --size --format {words(LAYERS_FORMAT)} "$1" 2> /dev/null)
  upper=$(echo "$layers" | sed -n 2p); lower=$(echo "$layers" | sed -n 3p)
}}
changed_files() {{
  if [ -n "$lower" ] && [ -r "$upper" ] && [ -r "${{lower%%:*}}" ]; then
  {OWN_LAYER}
  else {DOCKER_DIFF}; fi | LC_ALL=C sort
}}
is_as_noted() {{
  {{ read -r size; read -r upper; }} < "$2"
  if [ -n "$upper" ] && [ -r "$upper" ]; then [ -z "$(find "$upper" -cnewer "$2" 2> /dev/null | head -n 1)" ]
  else [ "$(docker inspect --size --format '{{{{.SizeRw}}}}' "$1" 2> /dev/null)" = "$size" ]; fi
}}"""


def note_down(directory: str, containers: Sequence[str]) -> str:
    """Write down what differs from the image today; for other containers nothing is kept.

    Beside it stand size and place of the container's layer, written first: what is changed later is newer than that.

    Args:
        directory: the folder with a file for each container.
        containers: names of those that run.
    """
    if not containers:
        return ""
    folder = words(directory)
    notes = "; ".join(_note(directory, name) for name in containers)
    return chain(f"rm -rf {folder} && mkdir -p {folder}", f"{{ {CHANGED_FILES}\n{notes}; }}")


def _note(directory: str, name: str) -> str:
    """A look goes by the file with the size, so that comes into place last: half a list would be taken for a whole."""
    container, listed = words(name), words(f"{directory}/{name}")
    size, draft = words(f"{directory}/{name}.size"), words(f"{directory}/{name}.draft")
    return (
        f'layers {container}; echo "$layers" | head -n 2 > {draft}; '
        f"changed_files {container} > {listed} && mv -f {draft} {size}"
    )


def look(directory: str) -> str:
    """Print a line ``edited NAME PATH`` for each file that was changed since it was noted down.

    Where the files were not all listed, then or now, a line has ``not-listed`` for the path.
    """
    return (
        f"{CHANGED_FILES}\n"
        f'for sized in {words(directory)}/*.size; do [ -f "$sized" ] || continue; noted=${{sized%.size}}\n'
        'name=${noted##*/}; is_as_noted "$name" "$sized" && continue\n'
        f'if grep -qx {NOT_LISTED} "$noted"; then echo "edited $name {NOT_LISTED}"; continue; fi; layers "$name"\n'
        'changed_files "$name" | LC_ALL=C comm -13 "$noted" - | sed "s|^|edited $name |"; done'
    )
