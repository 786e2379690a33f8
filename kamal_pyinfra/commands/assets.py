"""Asset bridging: while two versions serve, each has the other's files (Kamal 1.9)."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import chain, words
from kamal_pyinfra.naming import assets_sibling
from kamal_pyinfra.plan.state import Assets


def extract(assets: Assets, image: str) -> str:
    """Copy the asset folder out of the image, without starting anything.

    Kamal runs a helper container that sleeps; a created one will do. One that a killed run left is replaced.
    """
    helper = words(assets.helper)
    create = f"docker create --name {helper} {words(image)} true > /dev/null"
    return chain(
        f"mkdir -p {words(assets.extracted)}",
        f"{{ {create} 2>&1 || {{ docker rm -f {helper} > /dev/null 2>&1; {create}; }}; }}",
        f"docker cp -L {helper}:{words(assets.source)}/. {words(assets.extracted)}",
    )


def remove_helper(assets: Assets) -> str:
    """Remove the container that the assets were copied out of."""
    return f"docker rm -f {words(assets.helper)} > /dev/null"


def sync(assets: Assets, old_containers: tuple[str, ...]) -> str:
    """Fill the new container's folder, and let old and new ones share; a file that is there stays as it is."""
    commands = [f"mkdir -p {words(assets.volume)}", _copy(assets.extracted, assets.volume)]
    for old in old_containers:
        extracted, volume = assets_sibling(assets.extracted, old), assets_sibling(assets.volume, old)
        commands += [_copy_if_there(assets.extracted, volume), _copy_if_there(extracted, assets.volume)]
    return chain(*commands)


def _copy(source: str, target: str) -> str:
    # POSIX has no `cp -n`, and GNU's changed its exit code for skipped files; tar's meaning is stable.
    return f"tar -C {words(source)} -c . | tar -C {words(target)} --skip-old-files -x"


def _copy_if_there(source: str, target: str) -> str:
    return f"{{ [ ! -d {words(source)} ] || [ ! -d {words(target)} ] || {_copy(source, target)}; }}"
