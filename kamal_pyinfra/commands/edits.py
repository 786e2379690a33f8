"""Files of an image that were changed inside a running container, told from those that the app changed by itself.

What differs from the image once a version is in service is noted down; what comes on top of it later was not part of
the deploy.

``docker diff`` would list what differs, but it reads the whole image to do so (``overlay2`` too: a fifth of a second
for a small image, seconds for a large one). A user who may look into Docker's own folder sees the same at once: a
container's layer holds what it added, what it changed and, as a device without number, what it removed. (Of a folder
that was removed and made again only the files show that were there before.)

A container is looked through only when something in its layer is newer than the note. For a user who may not see that,
the layer's size has to do, of which Docker is asked: the first change of a file copies it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands.shell import chain, words

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
