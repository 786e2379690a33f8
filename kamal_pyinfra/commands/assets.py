"""Asset bridging: while two versions serve, each has the other's files (Kamal 1.9).

A container mounts its folder writable, and a process in there may put a link in place of a file or a folder at any
moment; an image may bring links along. So a link in what is extracted stays only where it names its neighbour, and
a folder that a container may have mounted is filled one directory at a time: the shell goes down to it step by step
and looks each time where it is, and ``tar`` creates there what is missing, which follows no link.
"""

from __future__ import annotations

from kamal_pyinfra.commands.shell import chain, quote, words
from kamal_pyinfra.naming import assets_sibling
from kamal_pyinfra.plan.state import Assets

# A link to elsewhere in the folder is as good as a copy of what it names; a pipe or a device is no asset.
TIDY_EACH = """root=$1; shift
for path; do
  if [ -L "$path" ]; then
    case "$(readlink "$path")" in */* | . | ..) ;; *) continue ;; esac
    file=$(readlink -f "$path")
    case "$file" in "$root"/*)
      [ ! -f "$file" ] || { cp "$file" "$path.kp" && mv -fT "$path.kp" "$path" && continue; } ;;
    esac
  fi
  echo "$path is no file, or a link out of the assets: left out" >&2
  rm -f "$path"
done"""

FILL_EACH = """source=$1; target=$2; shift 2
missing() {
  for path in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    [ -e "./${path##*/}" ] || [ -L "./${path##*/}" ] || printf "$2" "./${path##*/}"
  done
}
fill() {
  inner=${1#"$source"}; rest=${inner#/}
  cd -P "$target" || exit
  while [ -n "$rest" ]; do
    below=$PWD/${rest%%/*}
    cd -P "./${rest%%/*}" 2> /dev/null && [ "$PWD" = "$below" ] ||
      { echo "$target$inner: a container has put something else there; it gets no assets" >&2; exit 0; }
    case "$rest" in */*) rest=${rest#*/} ;; *) rest= ;; esac
  done
  [ -n "$(missing "$1" x)" ] || exit 0
  missing "$1" "%s\\0" | tar -C "$1" --null --no-recursion -T - -c | tar --skip-old-files -x
}
for folder; do ( fill "$folder" ) || exit; done"""

FUNCTIONS = f"""umask 022
tidy() {{
  [ ! -d "$1" ] || find "$1" ! -type f ! -type d -exec sh -c {quote(TIDY_EACH)} sh "$(cd "$1" && pwd -P)" {{}} +
}}
copy() {{ tar -C "$1" -c . | tar -C "$2" --skip-old-files -x; }}
fill() {{
  source=$(cd "$1" && pwd -P) && target=$(cd "$2" && pwd -P) &&
    find "$source" -type d -exec sh -c {quote(FILL_EACH)} sh "$source" "$target" {{}} +
}}
fill_new() {{ if [ -d "$2" ]; then fill "$1" "$2"; else mkdir -p "$2" && copy "$1" "$2"; fi; }}
fill_if_there() {{ [ ! -d "$1" ] || [ ! -d "$2" ] || {{ tidy "$1" && fill "$1" "$2"; }}; }}
"""
"""For scripts that extract and share. A folder that is not there yet is no container's, so it is filled at once."""


def extract(assets: Assets, image: str) -> str:
    """Copy the asset folder out of the image, without starting anything.

    Kamal runs a helper container that sleeps; a created one will do. One that a killed run left is replaced.
    """
    helper, target = words(assets.helper), words(assets.extracted)
    create = f"docker create --name {helper} {words(image)} true > /dev/null"
    return chain(
        f"rm -rf {target} && mkdir -p {target}",
        f"{{ {create} 2>&1 || {{ docker rm -f {helper} > /dev/null 2>&1; {create}; }}; }}",
        f"docker cp -L {helper}:{words(assets.source)}/. {target}",
        f"tidy {target} && chmod -R a+rX {target}",
    )


def remove_helper(assets: Assets) -> str:
    """Remove the container that the assets were copied out of."""
    return f"docker rm -f {words(assets.helper)} > /dev/null"


def sync(assets: Assets, old_containers: tuple[str, ...]) -> str:
    """Fill the new container's folder, and let old and new ones share; a file that is there stays as it is."""
    commands = [f"fill_new {words(assets.extracted, assets.volume)}"]
    for old in old_containers:
        extracted, volume = assets_sibling(assets.extracted, old), assets_sibling(assets.volume, old)
        commands += [
            f"fill_if_there {words(assets.extracted, volume)}",
            f"fill_if_there {words(extracted, assets.volume)}",
        ]
    return chain(*commands)
