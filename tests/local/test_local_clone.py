"""What is built: a clean clone of the commit, kept from one build to the next, or the folder as it is. Real git."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path

import pytest

from kamal_pyinfra.errors import BuildFailed
from tests.operations.machine import Machine

IGNORED = "[Building from a clean git clone, so uncommitted changes are ignored; builder.context builds them]"
INCLUDED = "[Building with uncommitted changes]"
ANEW = "the kept clone is of no use: cloning anew"


def built(machine: Machine, **builder: object) -> tuple[Path, list[str]]:
    """Folder of a build, and the files that were in it."""
    calls = machine.builds(multiarch=False, **builder)
    build = next(call for call in calls if call["argv"][0] == "build")
    return Path(build["cwd"]), build["files"]


def refused(machine: Machine) -> str:
    with pytest.raises(BuildFailed) as caught:
        built(machine)
    return str(caught.value)


def kept(machine: Machine) -> Path:
    digest = hashlib.sha256(str(machine.project).encode()).hexdigest()[:13]
    return machine.folder / f"tmp/kamal-clones/shop-{digest}"


def test_a_commit_is_built_without_what_is_not_in_it(machine: Machine):
    machine.commit(app="1")
    (machine.project / "new").touch()
    assert built(machine) == (kept(machine) / "project", ["Dockerfile", "app"])
    assert IGNORED in machine.said


def test_a_clean_project_is_built_without_a_warning(machine: Machine):
    machine.commit(app="1")
    built(machine)
    assert not [line for line in machine.said if line.startswith("[")]


def test_the_next_commit_is_built_in_the_same_clone_free_of_what_the_last_build_left(machine: Machine):
    machine.commit(app="1", **{".gitignore": "cache\n"})
    folder, _ = built(machine)
    before = (folder / ".git/HEAD").stat().st_ino, (folder / ".git").stat().st_ctime_ns
    (folder / "cache").mkdir()
    (folder / "app").write_text("changed")
    (folder / "left").touch()
    machine.commit(app="2", other="3")
    again, files = built(machine)
    assert (again, files) == (folder, ["Dockerfile", "app", "other"])
    assert (folder / "app").read_text() == "2"
    assert (folder / ".git/HEAD").stat().st_ino == before[0]
    assert ANEW not in machine.said


@pytest.mark.parametrize("broken", [".git/HEAD", ".git/config", ".git/objects"])
def test_a_broken_clone_is_made_anew(machine: Machine, broken: str):
    machine.commit(app="1")
    folder, files = built(machine)
    (folder / broken).rename(folder / "gone")
    assert built(machine) == (folder, files)
    assert ANEW in machine.said


def test_a_folder_that_never_was_a_clone_is_replaced(machine: Machine):
    machine.commit(app="1")
    (kept(machine) / "project").mkdir(parents=True, mode=0o700)
    kept(machine).parent.chmod(0o700)
    kept(machine).chmod(0o700)
    (kept(machine) / "project/evil").touch()
    assert built(machine) == (kept(machine) / "project", ["Dockerfile", "app"])


def test_a_commit_that_is_on_no_branch_is_built(machine: Machine):
    machine.commit(app="1")
    built(machine)
    machine.git("checkout", "--quiet", "--detach")
    machine.commit(app="2")
    folder, _ = built(machine)
    assert (folder / "app").read_text() == "2"


def test_a_project_below_the_top_of_its_repository_is_built_there(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    (machine.project / "api").mkdir()
    machine.commit(**{"api/Dockerfile": "FROM scratch\n"})
    monkeypatch.chdir(machine.project / "api")
    folder, files = built(machine)
    assert (folder.parts[-2:], files) == (("project", "api"), ["Dockerfile"])


def test_a_folder_that_others_may_write_into_is_not_used(machine: Machine):
    machine.commit(app="1")
    kept(machine).mkdir(parents=True)
    kept(machine).chmod(0o777)
    folder, files = built(machine)
    assert (folder.parts[-2].startswith("kp-clone-"), files) == (True, ["Dockerfile", "app"])
    assert not folder.exists()
    assert list(kept(machine).iterdir()) == []


def test_two_builds_at_a_time_do_not_share_a_clone(machine: Machine):
    machine.commit(app="1")
    folder, _ = built(machine)
    with Path(f"{folder.parent}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        other, files = built(machine)
    assert (other != folder, files) == (True, ["Dockerfile", "app"])


def test_git_is_not_led_astray_inside_a_hook(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.commit(app="1")
    monkeypatch.setenv("GIT_DIR", str(machine.project / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(machine.project))
    assert built(machine) == (kept(machine) / "project", ["Dockerfile", "app"])


def test_a_dockerfile_that_is_not_committed_is_named(machine: Machine):
    machine.commit(app="1")
    machine.git("rm", "--quiet", "--cached", "Dockerfile")
    machine.git("commit", "--quiet", "--message", "without")
    assert refused(machine).startswith("Dockerfile is not committed, so a clean clone lacks it: commit it, or set")


def test_a_repository_that_cannot_be_cloned_is_named_with_what_git_says(machine: Machine):
    commit = machine.commit(app="1")
    tree = machine.git("rev-parse", "HEAD^{tree}")
    (machine.project / f".git/objects/{tree[:2]}/{tree[2:]}").unlink()
    lines = refused(machine).splitlines()
    assert (lines[0], lines[-1]) == (
        f"{machine.project} could not be cloned for a clean build:",
        "Set builder.context: . to build the folder as it is.",
    )
    assert (len(lines) > 2, len(commit)) == (True, 40)


def test_a_clone_that_is_never_clean_is_named_with_its_files_and_the_cure(machine: Machine):
    (machine.project / "a.txt").write_bytes(b"a\r\n")
    machine.commit(app="1")
    (machine.project / ".gitattributes").write_text("*.txt text\n")
    machine.git("add", ".gitattributes")
    machine.git("commit", "--quiet", "--message", "two")
    commit = machine.git("rev-parse", "HEAD")
    assert refused(machine).splitlines() == [
        f"{machine.project} could not be cloned for a clean build:",
        f"  the clone is not a clean {commit}",
        "    M a.txt",
        "  Only line ends differ: run `git add --renormalize .` and commit.",
        "Set builder.context: . to build the folder as it is.",
    ]


def test_few_of_the_files_that_differ_are_shown(machine: Machine):
    for number in range(12):
        (machine.project / f"{number:02}.txt").write_bytes(b"a\r\n")
    machine.commit(app="1")
    (machine.project / ".gitattributes").write_text("*.txt text\n")
    machine.git("add", ".gitattributes")
    machine.git("commit", "--quiet", "--message", "two")
    lines = refused(machine).splitlines()
    assert lines[2:13] == [*(f"    M {number:02}.txt" for number in range(10)), "    and 2 more"]


def test_with_a_context_the_folder_itself_is_built_and_changes_are_pointed_out(machine: Machine):
    machine.commit(app="1")
    (machine.project / "new").touch()
    assert built(machine, context=".") == (machine.project, ["Dockerfile", "app", "new"])
    assert INCLUDED in machine.said
    assert machine.clones() == []


def test_a_folder_without_git_or_without_a_commit_is_built_itself(machine: Machine):
    assert built(machine) == (machine.project, ["Dockerfile"])
    assert not [line for line in machine.said if line.startswith("[")]
    machine.git("init", "--quiet")
    assert built(machine)[0] == machine.project
    assert INCLUDED in machine.said
