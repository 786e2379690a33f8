"""The login shell of the SSH user, whichever it is, neither changes what is run nor what is read back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOSTS = ("web1", "web2")
ENV = {
    "PATTERN": "two \\\\ backslashes",
    "QUOTE": "it's \\'quoted\\'",
    "INJECT": "a\\'\"; touch pwned; : \\'",
    "HISTORY": "!! !$ !echo $HOME `touch pwned` $(touch pwned)",
    "LETTERS": "café 🚢 %s ~ * {a,b}",
}


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A service on two hosts, reached as a user whose login shell each test chooses."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shells"))
    project.change(lambda config: on_two_hosts(project, config))
    yield project
    for host in HOSTS:
        project.lab.ssh(host, "chsh -s /bin/bash deploy; rm -f ~deploy/.bashrc")


def on_two_hosts(project: Project, config: dict[str, Any]) -> None:
    config["servers"] = {"web": {"hosts": [project.lab.hosts[host] for host in HOSTS]}}
    config["ssh"]["user"] = "deploy"
    config["env"]["clear"] = ENV


def give_shell(project: Project, **shells: str) -> None:
    for host, shell in shells.items():
        project.lab.ssh(host, f"usermod --shell {shell} deploy")


def seconds_of(project: Project, version: str) -> float:
    began = time.monotonic()
    project.kp("deploy", version=version)
    return time.monotonic() - began


def test_fish_and_csh_deploy_as_bash_does(shop: Project) -> None:
    """Values must arrive byte for byte, nothing in them may run, and no wait may run its time out."""
    give_shell(shop, web1="/usr/bin/fish", web2="/usr/bin/tcsh")
    shop.kp("setup", version="v1")
    other = seconds_of(shop, "v2")
    shop.kp("traefik", "reboot", "-y")
    for host in HOSTS:
        env = shop.inspect(host, "shop-web-v2")["Config"]["Env"]
        assert {name: value for name, _, value in (pair.partition("=") for pair in env) if name in ENV} == ENV
        assert shop.lab.ssh(host, "find / -xdev -name pwned 2> /dev/null").stdout == ""
        assert shop.served(host) == "v2"
    assert "nothing to change" in shop.kp("plan", version="v2").stdout
    give_shell(shop, web1="/usr/bin/zsh", web2="/bin/bash")
    usual = seconds_of(shop, "v3")
    assert other < 1.5 * usual + 2


def test_facts_alone_mean_the_same_through_fish_and_csh(shop: Project) -> None:
    """pyinfra's own command line must read what kp reads."""
    for shell in ("/usr/bin/fish", "/bin/csh"):
        give_shell(shop, web1=shell)
        words = ("--ssh-user", "deploy", "--ssh-key", str(shop.lab.key))
        data = ("--data", f"ssh_known_hosts_file={shop.lab.known_hosts}")
        fact = ("fact", "kamal_pyinfra.facts.RunningVersions", "service=shop")
        found = shop.pyinfra(shop.lab.hosts["web1"], *words, *data, *fact)
        assert '"v3"' in found.stderr


CONDITIONS = {
    "another shell in .bashrc": ("echo 'exec zsh' > ~deploy/.bashrc", "rm ~deploy/.bashrc", "nothing"),
    "a forced command": (
        "printf 'Match User deploy\\n ForceCommand echo only git here\\n' > /etc/ssh/sshd_config.d/f.conf; {reload}",
        "rm /etc/ssh/sshd_config.d/f.conf; {reload}",
        "`only git here`",
    ),
    "no login": (
        "usermod --shell /usr/sbin/nologin deploy",
        "usermod --shell /bin/bash deploy",
        "`This account is currently not available.`",
    ),
}
RELOAD = 'kill -HUP "$(cat /run/sshd.pid)"; sleep 0.5'
COMMANDS = (
    "plan",
    "doctor",
    "lock acquire -m hello",
    "lock status",
    "lock release",
    "deploy",
    "app exec --reuse id",
    "audit",
)


@contextmanager
def condition(project: Project, before: str, after: str) -> Iterator[None]:
    project.lab.ssh("web1", before.replace("{reload}", RELOAD))
    try:
        yield
    finally:
        project.lab.ssh("web1", after.replace("{reload}", RELOAD))


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_host_that_runs_no_commands_is_named_with_what_it_printed(shop: Project, name: str) -> None:
    """No command may claim anything of a host whose login shell ran something else."""
    before, after, printed = CONDITIONS[name]
    give_shell(shop, web1="/bin/bash", web2="/bin/bash")
    web1 = shop.lab.hosts["web1"]
    with condition(shop, before, after):
        for command in COMMANDS if name == "a forced command" else COMMANDS[:3]:
            done = shop.kp(*command.split(), version="v4", code=1)
            text = done.stdout + done.stderr
            wanted = f"commands do not run on {web1}: the login shell or a ForceCommand printed {printed}"
            assert wanted in text, (command, text)
            for word in ("Traceback", "SnapshotError", "SnapshotQuery", "Acquired", "Released"):
                assert word not in text, (command, text)


NOISE = """
printf 'unknown\\nfree\\ndeploy-lock-taken 1\\ndeploy-lock-state x 7\\nend\\ndocker-missing\\ncontainer {\\nlock x 7\\n'
printf 'a b c d e f g\\nrecord {\\nno line end'
echo 'nvm: not found' >&2
trap 'echo deploy-lock-held zzz; echo bye' EXIT
"""


def test_words_that_a_shell_prints_by_itself_are_not_read(shop: Project) -> None:
    """A .bashrc that prints what kp's own scripts print must change nothing."""
    give_shell(shop, web1="/bin/bash", web2="/bin/bash")
    for host in HOSTS:
        shop.lab.ssh(host, f"cat > ~deploy/.bashrc <<'END'{NOISE}END")
    quiet = {"lock status": "There is no deploy lock", "app version": "v3"}
    for command, wanted in quiet.items():
        assert wanted in shop.kp(*command.split(), version="v3").stdout
    assert "Acquired" in shop.kp("lock", "acquire", "-m", "busy").stdout
    assert "Message: busy" in shop.kp("lock", "status").stdout
    shop.kp("deploy", version="v4", code=4)
    assert "Released" in shop.kp("lock", "release").stdout
    shop.kp("deploy", "--lock-wait", "30", version="v4")
    assert {host: shop.served(host) for host in HOSTS} == dict.fromkeys(HOSTS, "v4")
    assert "nothing to change" in shop.kp("plan", version="v4").stdout
    assert shop.kp("app", "exec", "--reuse", "echo only this", version="v4").stdout.count("unknown") == 0
