"""Connections that are refused, swallowed or cut."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

from tests.e2e.project import Project

WEB = ("web1", "web2")
DROP = "iptables -I INPUT -p tcp --dport 22 -j DROP"
ALLOW = "iptables -D INPUT -p tcp --dport 22 -j DROP"


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy one direction until it ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    target.close()


def relay(listener: socket.socket, address: str, refusals: int) -> None:
    """Drop some connections at once, then lead one to a host's sshd."""
    for _ in range(refusals):
        listener.accept()[0].close()
    with closing(listener):
        client, _ = listener.accept()
        server = socket.create_connection((address, 22))
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        threading.Thread(target=pump, args=(server, client), daemon=True).start()


def test_a_connection_that_is_refused_twice_is_made_the_third_time(project: Project) -> None:
    """An sshd that drops two connections, as one with too many does, must be asked a third time."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=relay, args=(listener, project.lab.hosts["web1"], 2), daemon=True).start()
    ssh = {**project.config["ssh"], "known_hosts": str(project.folder / "new/known_hosts")}
    port = listener.getsockname()[1]
    project.change(lambda config: config.update(servers=[{"127.0.0.1": {"port": port}}], ssh=ssh))
    assert project.kp("lock", "status").stdout == "There is no deploy lock\n"
    assert f"[127.0.0.1]:{port}" in (project.folder / "new/known_hosts").read_text()


def test_a_host_key_that_is_not_known_is_refused_at_once_if_strict(project: Project) -> None:
    """With `host_keys: strict` a host that is not in `known_hosts` must not be talked to, nor written down."""
    known_hosts = project.folder / "known_hosts"
    project.change(lambda config: config["ssh"].update(host_keys="strict", known_hosts=str(known_hosts)))
    assert "known_hosts" in project.kp("lock", "status", code=1).stderr
    assert not known_hosts.exists()


def test_a_host_that_swallows_everything_is_reported_in_time(project: Project) -> None:
    """A black hole must be named within `connect_timeout`, before anything changes; the others are not blamed."""
    project.change(lambda config: config["ssh"].update(connect_timeout=3))
    web2 = project.lab.hosts["web2"]
    project.lab.exec("web2", DROP)
    try:
        began = time.monotonic()
        said = project.kp("plan", code=1).stderr
        assert time.monotonic() - began < 15
    finally:
        project.lab.exec("web2", ALLOW)
    assert f"{web2} failed (connect)" in said
    assert "Nothing was changed." in said
    assert project.lab.hosts["web1"] not in said


def test_a_cut_connection_is_noticed_while_a_command_is_silent(project: Project) -> None:
    """A host that vanishes under a silent command must be given up in time; the other's answer counts."""
    web1, web2 = (project.lab.hosts[name] for name in ("web1", "web2"))
    silent = "echo begun; case $(hostname) in web2) sleep 150 ;; esac; echo through"
    running = project.start("kp", "server", "exec", "--hosts", f"{web1},{web2}", silent)
    asks = "for try in $(seq 1200); do pgrep -f '[s]leep 150' && exit; sleep 0.05; done; exit 1"
    project.lab.exec("web2", asks, timeout=90)
    project.lab.exec("web2", DROP)
    try:
        began = time.monotonic()
        output, _ = running.communicate(timeout=90)
        assert time.monotonic() - began < 80
    finally:
        project.lab.exec("web2", ALLOW)
    assert running.returncode == 1
    assert output.count("through") == 1, output
    assert "Traceback" not in output, output


def test_a_docker_that_hangs_is_named_in_time(project: Project) -> None:
    """Hosts whose Docker takes questions and never answers must be named in time, with sudo too, and only they."""
    web1, web2 = (project.lab.hosts[name] for name in WEB)
    project.change(lambda config: config["ssh"].update(command_timeout=4))
    project.change(
        lambda config: config["servers"]["web"].update(hosts=[web1, {web2: {"user": "admin", "sudo": True}}])
    )
    for host in WEB:
        project.lab.exec(host, "pkill -STOP -x dockerd")
    try:
        began = time.monotonic()
        said = project.kp("plan", code=1).stderr
        assert time.monotonic() - began < 30
        asking = [project.lab.exec(host, "pgrep -fc '[d]ocker version'", check=False).stdout.strip() for host in WEB]
        assert asking == ["0", "0"]
    finally:
        for host in WEB:
            project.lab.exec(host, "pkill -CONT -x dockerd")
    assert [f"{host} failed (observe)" in said for host in (web1, web2)] == [True, True]
    assert said.count("It did not end within 4 s (ssh.command_timeout) and was stopped.") == 2
    assert "Nothing was changed." in said
    assert project.lab.hosts["job1"] not in said
    assert "shop-web-v1" in project.kp("plan").stdout


def test_a_host_that_stands_still_is_given_up(project: Project) -> None:
    """A host whose kernel still answers, but none of its programs, must be named in time, and hold up no other."""
    web2 = project.lab.hosts["web2"]
    project.change(lambda config: config["ssh"].update(command_timeout=4))
    project.lab.exec("web2", "pkill -STOP -x dockerd")
    try:
        planning = project.start("kp", "plan")
        asks = "for try in $(seq 400); do pgrep -f '[d]ocker version' && exit; sleep 0.05; done; exit 1"
        project.lab.exec("web2", f"{asks}", timeout=30)
        project.lab.exec("web2", "pkill -STOP -x sshd-session")
        output, _ = planning.communicate(timeout=60)
    finally:
        project.lab.exec("web2", "pkill -CONT -x dockerd; pkill -CONT -x sshd-session; true")
    assert planning.returncode == 1
    assert f"{web2} failed (observe)" in output
    gone = "No answer came within 4 s (ssh.command_timeout); the host or Docker hangs."
    assert output.count(gone) == 1
    assert "Nothing was changed." in output
    assert "Traceback" not in output
    assert "shop-web-v1" in project.kp("plan").stdout
