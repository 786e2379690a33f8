"""What one does to the app besides deploying it: boot, stop, start, exec, logs, stale containers, images, remove."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.project import BIN, SECRETS, Project, eventually
from tests.e2e.test_host_commands import HOSTS, WEB, listing, status_of
from tests.lab.lab import Lab

EVENTS = "events.ndjson"
AUDIT = "cat .kamal/shop-audit.log"
FOLLOWERS = "ps -eo args | grep -c '^docker logs' || true"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A service on all hosts, of which two versions are there."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"), retain_containers=5)
    project.kp("setup", version="v1")
    (project.folder / EVENTS).write_text(project.kp("deploy", "--json", version="v2").stdout)
    return project


def test_a_deploy_tells_events_and_leaves_its_times_here_and_its_story_on_the_hosts(shop: Project) -> None:
    """Events must name every phase and end in `done`, and history, timeline and rollback must know both versions."""
    told = [json.loads(line) for line in (shop.folder / EVENTS).read_text().splitlines()]
    assert [told[0]["event"], told[1]["event"], told[-1]["event"]] == ["run_started", "plan_made", "run_ended"]
    assert (told[0]["version"], told[-1]["result"]) == ("v2", "done")
    phases = [event["phase"] for event in told if event["event"] == "phase_ended" and event["succeeded"]]
    assert phases == ["build", "lock", "prepare", "boot", "switch", "finish", "unlock"]
    assert [event["passed"] for event in told if event["event"] == "gate"] == [True]

    kept = shop.folder / ".kamal/last-deploy.json"
    assert (kept.stat().st_mode & 0o777, json.loads(kept.read_text())["version"]) == (0o600, "v2")
    assert SECRETS["TOP_SECRET"] not in kept.read_text()
    assert "deploy of shop v2" in shop.kp("timeline").stdout
    shop.kp("timeline", "--html", "deploy.html")
    assert "container shop-web-v2" in (shop.folder / "deploy.html").read_text()

    found = json.loads(shop.kp("history", "--json", version="unheard-of").stdout)
    assert [(each["command"], each["version"], each["result"]) for each in found] == [
        ("deploy", "v2", "finished"),
        ("setup", "v1", "finished"),
    ]
    assert found[0]["hosts"] == [shop.lab.hosts[host] for host in HOSTS]
    listed = shop.kp("rollback", code=3).stderr.splitlines()
    assert [line.split()[0] for line in listed[1:-1]] == ["v2", "v1"]
    assert listed[1].endswith("in service")
    assert shop.kp("open").stdout.splitlines() == [f"http://{shop.lab.hosts[host]}" for host in WEB]


def test_stop_takes_the_app_out_of_service_and_start_brings_the_same_containers_back(shop: Project) -> None:
    """After stop the proxy must have nobody to ask, after start the containers of before must serve."""
    ids = [shop.inspect(host, "shop-web-v2")["Id"] for host in WEB]
    shop.kp("app", "stop", version="unheard-of")
    assert shop.running(HOSTS) == {host: [] for host in HOSTS}
    assert all(status_of(shop.url(host)) in (404, 502, 503) for host in WEB)
    assert shop.kp("app", "stop").stdout == "shop: nothing to change.\n"

    web1 = shop.lab.hosts["web1"]
    assert "no container of v9" in shop.kp("app", "start", "--version", "v9", code=1).stderr
    shop.kp("app", "start", "-h", web1, version="unheard-of")
    assert shop.running(HOSTS) == {"web1": ["shop-web-v2"], "web2": [], "job1": []}
    assert shop.served("web1") == "v2"
    shop.kp("app", "start")
    assert {host: shop.served(host) for host in WEB} == dict.fromkeys(WEB, "v2")
    assert [shop.inspect(host, "shop-web-v2")["Id"] for host in WEB] == ids
    assert shop.kp("app", "start").stdout == "shop: nothing to change.\n"
    assert "kp rollback v1" in shop.kp("app", "start", "--version", "v1", code=1).stderr
    told = [line.rpartition("] ")[2] for line in listing(shop, "web1", AUDIT)]
    assert told[-2:] == ["Stopped app", "Started app version v2"]
    assert not shop.lock_exists()


def test_boot_follows_what_is_in_service_unless_told_a_version(shop: Project) -> None:
    """A bare boot must keep the version and take a changed configuration, `--version` must change it."""
    assert shop.kp("app", "boot", version="unheard-of").stdout == "shop v2: nothing to change.\n"
    shop.set_env(COLOR="green")
    shop.kp("app", "boot", "-r", "web", version="unheard-of")
    assert "COLOR=green" in shop.inspect("web2", "shop-web-v2")["Config"]["Env"]
    shop.kp("app", "boot", "--version", "v1", "-h", shop.lab.hosts["web2"])
    assert {host: shop.served(host) for host in WEB} == {"web1": "v2", "web2": "v1"}
    assert "say which with --version" in shop.kp("app", "boot", code=3).stderr
    shop.kp("app", "boot", "--version", "v2")
    assert "v2" in shop.kp("app", "version", "-r", "web").stdout


def test_exec_runs_in_a_new_container_or_in_the_one_that_runs(shop: Project) -> None:
    """A one-off container must have the role's surroundings and go; no value of `-e` may be seen on the host."""
    before = shop.containers("job1")
    job = ("-r", "job", "-e", "WORD:it's $HOME", "-e", "TIMES=3")
    shown = shop.kp(
        "app", "exec", "sh -c 'echo \"$WORD\" $TIMES $COLOR $TOP_SECRET ${#TOP_SECRET}; ls /proc | wc -l >&2'", *job
    )
    lines = shown.stdout.splitlines()
    assert lines[:2] == [f"App Host: {shop.lab.hosts['job1']} (job)", "it's $HOME 3 green [REDACTED] 11"]
    assert shop.containers("job1") == before
    assert listing(shop, "job1", "docker ps -aq | wc -l") == ["2"]
    with watched_processes(shop, "job1") as seen:
        shop.kp("app", "exec", "sleep 1", "-r", "job", "-e", "WORD:not-to-be-seen")
    assert any("docker run --rm" in line for line in seen)
    assert not any("not-to-be-seen" in line for line in seen)

    told = shop.kp("app", "exec", "--reuse", "printenv KAMAL_CONTAINER_NAME").stdout
    assert [line for line in told.splitlines() if line.startswith("shop-")] == ["shop-web-v2"] * 2 + ["shop-job-v2"]
    assert shop.kp("exec", "-p", "--reuse", "echo", "$(id);", "a  b").stdout.splitlines()[1] == "$(id); a  b"
    failed = shop.kp("app", "exec", "-p", "sh -c 'echo alas >&2; exit 3'", code=1)
    assert "alas" in failed.stdout
    assert f"failed on {shop.lab.hosts['web1']}" in failed.stderr
    absent = shop.kp("app", "exec", "--reuse", "--version", "v1", "true", code=3).stderr
    assert "no container of v1 of role web runs" in absent
    assert "Executed cmd 'printenv KAMAL_CONTAINER_NAME' on app version v2" in listing(shop, "web2", AUDIT)[-1]


@contextmanager
def watched_processes(project: Project, host: str) -> Iterator[list[str]]:
    """Command lines of docker on a host meanwhile."""
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.extend(listing(project, host, "ps -eo args | grep '[d]ocker'; true"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def typed_at(project: Project, *arguments: str, keys: str) -> tuple[int, str]:
    """Run kp with a terminal, type, and read until it ends."""
    master, slave = pty.openpty()
    running = subprocess.Popen(
        [str(BIN / "kp"), *arguments],
        cwd=project.folder,
        env=project.environment("v2"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, keys.encode())
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # the other side of the terminal is closed
        pass
    finally:
        os.close(master)
    return running.wait(60), shown.decode(errors="replace")


def test_a_terminal_in_a_container_and_on_a_server(shop: Project) -> None:
    """With -i what is typed must reach a real terminal there, with the connection settings of the configuration."""
    code, shown = typed_at(
        shop, "app", "exec", "-i", "--reuse", "sh", keys="tty; echo $KAMAL_VERSION-$((6*7))\nexit 3\n"
    )
    assert code == 3
    assert "/dev/pts/" in shown
    assert "v2-42" in shown
    code, shown = typed_at(shop, "app", "exec", "-i", "-e", "WORD:it's", "sh", keys='echo "<$WORD>$COLOR"\nexit\n')
    assert (code, "<it's>green" in shown) == (0, True)
    asks = 'tty && id -un && read -r word && echo "<$word>"'
    sudo = str(through_jump_host(shop))
    code, shown = typed_at(shop, "server", "exec", "-i", asks, "--config-file", sudo, keys="it's\n")
    assert code == 0, shown
    assert {"root", "<it's>"} <= set(shown.replace("\r", "").splitlines()), shown
    code, shown = typed_at(shop, "shell", keys="echo $KAMAL_CONTAINER_NAME-$((6*7)); exit 5\n")
    assert (code, "shop-web-v2-42" in shown) == (5, True), shown
    code, shown = typed_at(shop, "shell", "--new", "-r", "job", keys='echo "<$KAMAL_VERSION>$COLOR"; exit\n')
    assert (code, "<>green" in shown) == (0, True), shown
    refused = shop.kp("server", "exec", "-i", "true", code=3)
    assert "needs a terminal" in refused.stderr


def test_keys_that_are_in_no_file_and_a_proxy_command(shop: Project) -> None:
    """Every kind of connection must work with keys from the configuration alone and through the user's own command."""
    config = shop.config
    jump = " ".join(shop.lab.ssh_argv("web2"))
    other = shop.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    config["ssh"] = {
        "key_data": [other.read_text(), shop.lab.key.read_text()],
        "keys_only": True,
        "known_hosts": str(shop.lab.known_hosts),
        "proxy_command": jump.replace("ssh ", "ssh -W %h:%p ", 1),
    }
    path = shop.folder / "config/keys.yml"
    path.write_text(yaml.safe_dump(config))
    assert "shop" in shop.kp("plan", "-c", str(path), version="v2").stdout
    assert "one\n" in shop.kp("server", "exec", "-p", "-c", str(path), "echo", "one").stdout
    code, shown = typed_at(shop, "server", "exec", "-i", "tty; exit 4", "--config-file", str(path), keys="")
    assert (code, "/dev/pts/" in shown) == (4, True), shown
    assert "PRIVATE KEY" not in shown


def through_jump_host(project: Project) -> Path:
    """A configuration in which the first host is reached through another one, by a user who needs sudo."""
    config = project.config
    web1, web2 = (project.lab.hosts[host] for host in WEB)
    config["servers"] = {"web": {"hosts": [{web1: {"user": "admin", "sudo": True}}]}}
    config["ssh"]["proxy"] = f"root@{web2}"
    path = project.folder / "config/sudo.yml"
    kept = project.config
    project.write(config)
    path.write_text((project.folder / "config/deploy.yml").read_text())
    project.write(kept)
    return path


def test_server_exec_is_a_shell_on_every_server(shop: Project) -> None:
    """Pipes must work there, several words must stay words, and a failure must name its host."""
    said = shop.kp("server", "exec", "echo one two | wc -w").stdout
    assert said == "".join(f"Server Host: {shop.lab.hosts[host]}\n2\n\n" for host in HOSTS)
    assert "a  b;c\n" in shop.kp("server", "exec", "-p", "echo", "a  b;c").stdout
    web2 = shop.lab.hosts["web2"]
    assert f"failed on {web2};" in shop.kp("server", "exec", f"! ip addr | grep -q {web2}/", code=1).stderr
    assert shop.kp("server", "bootstrap").stdout == "shop: nothing to change.\n"


def test_stale_containers_are_named_and_stopped(shop: Project) -> None:
    """A second running version must be told apart from the one in service, and stopped alone."""
    assert shop.kp("app", "stale_containers").stdout == "No stale containers\n"
    shop.lab.ssh("job1", "docker start shop-job-v1")
    found = shop.kp("app", "stale-containers").stdout
    assert found.startswith(f"{shop.lab.hosts['job1']}  shop-job-v1  version v1 runs, but another one")
    shop.kp("app", "stale_containers", "--stop")
    assert shop.running(["job1"]) == {"job1": ["shop-job-v2"]}


class Following:
    """`kp … logs -f` under way, and what it has printed."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.process = project.start("kp", *arguments)
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        if self.process.stdout:
            with self.process.stdout as output:
                self.lines += (line.rstrip("\n") for line in output)

    def says(self, holds: Callable[[str], bool]) -> bool:
        return any(holds(line) for line in list(self.lines))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.reader.join(30)
        return self.process.wait(30)


def wrote(project: Project, host: str, *words: str) -> Callable[[str], bool]:
    """Whether a line is of a host and has these words."""
    address = project.lab.hosts[host]
    return lambda line: line.startswith((f"{address}/", f"{address}: ")) and all(word in line for word in words)


def test_logs_follow_every_host_through_a_deploy_and_a_lost_connection(shop: Project) -> None:
    """New containers must be picked up, a cut connection made again without a line twice, nothing left behind."""
    short = shop.start("kp", "app", "logs", "-f", "-r", "job")
    with short.stdout as output:
        assert output.readline()
    assert short.wait(30) == 1  # as with `| head -n 1`
    log = Following(shop, "app", "logs", "-f")
    traefik = Following(shop, "traefik", "logs", "-f", "-n", "0", "-c", str(through_jump_host(shop)))
    try:
        eventually(lambda: log.says(wrote(shop, "job1", "heartbeat", "v2")), what="a line of the worker")
        eventually(lambda: listing(shop, "web1", FOLLOWERS) == ["2"], what="following the app and the proxy")
        shop.lab.ssh("web2", "kill $(ps -eo pid,args | awk '/sshd.*@notty/ && !/awk/ {print $1}'); true", check=False)
        eventually(lambda: log.says(wrote(shop, "web2", "is back")), what="the connection")
        shop.kp("deploy", version="v3")
        for host in WEB:
            assert shop.served(host) == "v3"
            eventually(lambda host=host: log.says(wrote(shop, host, '"/version"', "v3")), what=f"a line of {host}")
        eventually(lambda: log.says(wrote(shop, "job1", "heartbeat", "v3")), what="a line of the new worker")
        eventually(lambda: traefik.says(wrote(shop, "web1", "/traefik  ")), what="a line of the proxy")
    finally:
        codes = [log.stop(), traefik.stop()]
    assert codes == [130, 130]
    stamped = [line for line in log.lines if "Z {" in line]
    assert sorted(stamped) == sorted(set(stamped))
    for host in HOSTS:
        eventually(lambda host=host: listing(shop, host, FOLLOWERS) == ["0"], what=f"no `docker logs` on {host}")


def test_remove_takes_containers_and_images_of_the_app_alone(shop: Project) -> None:
    """The parts must keep what is used, the whole must leave no container and no image, and not touch the proxy."""
    tags = f"docker image ls {shop.lab.registry.server}/shop --format '{{{{.Tag}}}}' | sort"
    assert "shop-web-v3 runs" in shop.kp("app", "remove_container", "v3", code=1).stderr
    shop.kp("app", "remove-container", "v1")
    assert "shop-web-v1" not in shop.containers("web1")
    shop.kp("app", "remove_containers")
    assert shop.containers("web1") == {"shop-web-v3": "running"}
    shop.kp("app", "remove_images")
    assert listing(shop, "web1", tags) == ["latest", "v3"]
    assert f"{shop.lab.hosts['web1']}  {shop.lab.registry.server}/shop:v3  " in shop.kp("app", "images").stdout
    shop.kp("app", "remove")
    for host in HOSTS:
        assert shop.containers(host) == {}
        assert listing(shop, host, tags) == []
    assert shop.inspect("web1", "traefik")["State"]["Running"]
    assert "say which with --version" in shop.kp("app", "boot", code=3).stderr
    shop.kp("app", "boot", "--version", "v3")
    assert {host: shop.served(host) for host in WEB} == dict.fromkeys(WEB, "v3")
