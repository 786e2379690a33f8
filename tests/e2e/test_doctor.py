"""`kp doctor` on hosts with faults."""

from __future__ import annotations

import json

from tests.e2e.project import Project

UNREACHABLE = "127.0.0.99"


def test_every_fault_is_found_and_none_hides_another(project: Project) -> None:
    """A taken port, a host without Docker, a hung and an unreachable one must each be said, and the fit one too."""
    lab = project.lab
    web1, web2, job1, bare1 = (lab.hosts[name] for name in ("web1", "web2", "job1", "bare1"))
    rule = {"traefik.http.routers.shop-web.rule": "Host(`gone.invalid`)"}

    def arrange(config: dict[str, object]) -> None:
        hosts = [web1, web2]
        config["servers"] = {
            "web": {"hosts": hosts, "labels": rule, "options": {"memory": "900g"}},
            "job": {"hosts": [job1, bare1, UNREACHABLE]},
        }

    project.change(arrange)
    lab.ssh("web2", "socat TCP-LISTEN:80,fork,reuseaddr TCP:127.0.0.1:22 > /dev/null 2>&1 < /dev/null & echo $! > pid")
    lab.pause("job1")
    try:
        done = project.kp("doctor", "--json", code=1)
    finally:
        lab.unpause("job1")
        lab.ssh("web2", "kill $(cat pid); rm pid")
    assert "Traceback" not in done.stderr
    checks = json.loads(done.stdout)
    found = {(check["host"], check["name"], check["verdict"]): check for check in checks if check["verdict"] != "ok"}
    assert set(found) == {
        ("this machine", "name", "warn"),
        (web1, "limits", "warn"),
        (web2, "limits", "warn"),
        (web2, "port", "fail"),
        (job1, "ssh", "fail"),
        (bare1, "docker", "fail"),
        (UNREACHABLE, "ssh", "fail"),
    }
    assert found[web2, "port", "fail"]["message"] == "80 is taken by socat"
    assert all(check["way_out"] for check in found.values())
    fit = project.kp("doctor", "--hosts", web1)
    assert "80 is free" in fit.stdout
    project.env["DOCKER_HOST"] = "unix:///nowhere.sock"
    assert "nowhere.sock" in project.kp("doctor", "--hosts", web1).stdout
    project.change(lambda config: config.pop("registry"))
    unfit = json.loads(project.kp("doctor", "--json", "--hosts", web1, code=1).stdout)
    assert [(check["host"], check["name"]) for check in unfit if check["verdict"] == "fail"] == [
        ("this machine", "docker")
    ]
    assert "gone.invalid does not resolve" in fit.stdout
    assert lab.ssh("web1", "ls -A ~/.kamal", check=False).returncode != 0
