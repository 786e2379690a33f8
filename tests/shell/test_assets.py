from __future__ import annotations

from pathlib import Path

from kamal_pyinfra.shell import app as assets
from tests.shell.builders import ASSETS
from tests.shell.fake_host import Answer, FakeHost

HELPER = "shop-web-assets"
EXTRACT = assets.sync_assets(ASSETS, "acme/shop:v2", ()).partition(" && ")[0]
EXTRACTED = ".kamal/assets/extracted/shop-web-v2"


def share(*old: str) -> str:
    """The last step of the sync."""
    return (
        "share_assets "
        + assets.sync_assets(ASSETS, "acme/shop:v2", old).partition("share_assets ")[2].partition(";")[0]
    )


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def tree(host: FakeHost, kind: str, version: str) -> Path:
    return host.home / f".kamal/assets/{kind}/shop-web-{version}"


def test_assets_are_copied_out_of_a_container_that_never_runs(host):
    host.docker(f"create --name {HELPER} acme/shop:v2 true", "0123abcd")
    host.docker(f"cp -L {HELPER}:/app/assets/. {EXTRACTED}")
    ran = host.run(EXTRACT)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert ran.calls == (
        f"docker create --name {HELPER} acme/shop:v2 true\ndocker cp -L {HELPER}:/app/assets/. {EXTRACTED}\n"
    )
    assert tree(host, "extracted", "v2").is_dir()


def test_the_helper_of_a_killed_run_is_replaced(host):
    host.docker(f"rm -f {HELPER}", "")
    host.docker(f"create --name {HELPER} acme/shop:v2 true", Answer(err="Conflict", code=1), "0123abcd")
    host.docker(f"cp -L {HELPER}:/app/assets/. {EXTRACTED}")
    ran = host.run(EXTRACT)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    create = f"docker create --name {HELPER} acme/shop:v2 true\n"
    copy = f"docker cp -L {HELPER}:/app/assets/. {EXTRACTED}\n"
    assert ran.calls == f"{create}docker rm -f {HELPER}\n{create}{copy}"


def test_an_image_without_the_folder_fails_the_sync(host):
    host.docker(f"rm -f {HELPER}")
    host.docker(f"create --name {HELPER} acme/shop:v2 true", "0123abcd")
    host.docker(f"cp -L {HELPER}:/app/assets/. {EXTRACTED}", Answer(err="Error: no such path", code=1))
    ran = host.run(EXTRACT)
    assert (ran.code, ran.err) == (1, "Error: no such path\n")


def test_without_an_old_version_the_folder_is_filled(host):
    write(tree(host, "extracted", "v2"), new="2", both="2")
    assert host.run(share()).code == 0
    assert read(tree(host, "volumes", "v2")) == {"both": "2", "new": "2"}


def test_old_and_new_get_each_others_files_and_keep_their_own(host):
    write(tree(host, "extracted", "v2"), new="2", both="2")
    write(tree(host, "extracted", "v1"), old="1", both="1")
    write(tree(host, "volumes", "v1"), old="1", both="1")
    ran = host.run(share("shop-web-v1"))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert read(tree(host, "volumes", "v1")) == {"both": "1", "new": "2", "old": "1"}
    assert read(tree(host, "volumes", "v2")) == {"both": "2", "new": "2", "old": "1"}
    assert read(tree(host, "extracted", "v1")) == {"both": "1", "old": "1"}
    assert read(tree(host, "extracted", "v2")) == {"both": "2", "new": "2"}


def test_syncing_again_changes_nothing(host):
    write(tree(host, "extracted", "v2"), new="2")
    write(tree(host, "volumes", "v2"), new="edited")
    host.run(share())
    assert read(tree(host, "volumes", "v2")) == {"new": "edited"}


def test_folders_inside_and_hidden_files_and_hard_names_come_along(host):
    write(tree(host, "extracted", "v2") / "a b" / "-c", **{".hidden": "h", "$(x)": "y"})
    assert host.run(share()).code == 0
    assert read(tree(host, "volumes", "v2") / "a b" / "-c") == {"$(x)": "y", ".hidden": "h"}


def test_an_old_container_without_asset_folders_is_passed_over(host):
    write(tree(host, "extracted", "v2"), new="2")
    ran = host.run(share("shop-web-v1"))
    assert (ran.code, ran.err) == (0, "")
    assert not tree(host, "volumes", "v1").exists()
    assert read(tree(host, "volumes", "v2")) == {"new": "2"}


def test_a_sync_as_text():
    assert assets.sync_assets(ASSETS, "acme/shop:v2", ("shop-web-v1",)) == (
        "extract_assets shop-web-assets acme/shop:v2 /app/assets .kamal/assets/extracted/shop-web-v2"
        " && { { docker rm -f shop-web-assets > /dev/null; } & aside=$!;"
        " share_assets .kamal/assets/extracted/shop-web-v2 .kamal/assets/volumes/shop-web-v2"
        " .kamal/assets/extracted/shop-web-v1 .kamal/assets/volumes/shop-web-v1;"
        ' code=$?; wait "$aside" && [ "$code" -eq 0 ]; }'
    )
