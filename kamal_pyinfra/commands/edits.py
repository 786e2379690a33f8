"""Files of an image that were changed inside a running container, told from those that the app changed by itself.

``docker diff`` lists what differs from the image. What differs once a version is in service is noted down; what
comes on top of it later was not part of the deploy. With some storage drivers ``docker diff`` reads the whole image,
so a container is asked only when the size of its own layer is not what was noted down: the first change of a file
copies it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands.shell import chain, words

LIST_SECONDS = 10

# Folders appear too when something in them is new, so only what has nothing below it counts.
CHANGED_FILES = (
    f'changed_files() {{ timeout {LIST_SECONDS} docker diff "$1" 2> /dev/null | awk \'{{ path = substr($0, 3); '
    "kind[path] = $1\n"
    'for (at = path; match(at, "/[^/]*$") && RSTART > 1; folder[at] = 1) at = substr(at, 1, RSTART - 1) }\n'
    'END { for (path in kind) if (kind[path] != "A" && !(path in folder)) print path }\' | LC_ALL=C sort; }\n'
    "layer_size() { docker inspect --size --format '{{.SizeRw}}' \"$1\" 2> /dev/null; }"
)


def note_down(directory: str, containers: Sequence[str]) -> str:
    """Write down what differs from the image today; for other containers nothing is kept.

    Args:
        directory: the folder with a file for each container.
        containers: names of those that run.
    """
    if not containers:
        return ""
    folder = words(directory)
    files = (
        f"changed_files {words(name)} > {words(f'{directory}/{name}')}; "
        f"layer_size {words(name)} > {words(f'{directory}/{name}.size')}"
        for name in containers
    )
    return chain(f"rm -rf {folder} && mkdir -p {folder}", f"{{ {CHANGED_FILES}\n{'; '.join(files)}; }}")


def look(directory: str) -> str:
    """Print a line ``edited NAME PATH`` for each file that was changed since it was noted down."""
    return (
        f"{CHANGED_FILES}\n"
        f'for sized in {words(directory)}/*.size; do [ -f "$sized" ] || continue; noted=${{sized%.size}}\n'
        'name=${noted##*/}; [ "$(layer_size "$name")" != "$(cat "$sized")" ] || continue\n'
        'changed_files "$name" | LC_ALL=C comm -13 "$noted" - | sed "s|^|edited $name |"; done'
    )
