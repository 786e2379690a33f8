"""Only one deploy at a time."""

from __future__ import annotations

from tests.e2e.project import Project


def test_a_held_lock_stops_the_deploy_before_any_change(project: Project) -> None:
    """With the lock held on a fresh host, a deploy must exit 4, show who holds it, and change nothing."""
    assert project.lab.ssh("web1", "ls -A .kamal", check=False).returncode != 0
    assert project.kp("lock", "status").stdout == "There is no deploy lock\n"
    project.kp("lock", "release")
    project.kp("lock", "acquire", "-m", "database upgrade", version="v1")
    assert "database upgrade" in project.kp("lock", "acquire", "-m", "me too", code=4).stderr
    refused = project.kp("setup", version="v1", code=4)
    assert "database upgrade" in refused.stderr
    assert "kp lock release" in refused.stderr
    assert project.containers("web1") == {}
    assert "database upgrade" in project.kp("lock", "status").stdout
    project.kp("lock", "release")
    assert project.kp("lock", "status").stdout == "There is no deploy lock\n"


def test_a_lock_of_kamal_counts(project: Project) -> None:
    """A lock in Kamal's format must stop kp, and show its text."""
    details = "TG9ja2VkIGJ5OiBBbm4gYXQgMjAyNC0wNS0wMVQxMDowMDowMFoKVmVyc2lvbjogYWJjCk1lc3NhZ2U6IGZpeGluZw=="
    project.lab.ssh("web1", f"mkdir -p .kamal/locks/shop && echo {details} > .kamal/locks/shop/details")
    refused = project.kp("setup", version="v1", code=4)
    assert "Ann" in refused.stderr
    assert "fixing" in refused.stderr
    project.kp("lock", "release")


def test_a_lock_without_details_can_be_released(project: Project) -> None:
    """A lock whose holder died before writing its name must be shown and released like any other."""
    project.lab.ssh("web1", "mkdir -p .kamal/locks/shop")
    assert "unknown" in project.kp("setup", version="v1", code=4).stderr
    project.kp("lock", "release")
    assert not project.lock_exists()
