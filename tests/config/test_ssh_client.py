"""The files of ``ssh``, read as ``ssh -G`` reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamal_pyinfra.config.values import Address, parse_address
from kamal_pyinfra.ssh import client_config as ssh_lines
from kamal_pyinfra.ssh.client_config import HostSettings, SshConfigError, host_settings

CONFIGS = {
    "port-user-name": "Host web1\n  HostName 192.0.2.10\n  Port 2222\n  User deploy\n",
    "first-value-counts": "Host web*\n Port 1\nHost web1\n Port 2\n User a\nHost *\n Port 3\n User b\n",
    "equals-and-quotes": 'Host = "web1" other\nPort=77\n  User   =  "a b"\nIdentityFile="~/.ssh/my key"\n',
    "negated": "Host *.example !db.example web? !web1\n  Port 5\nHost *\n Port 6\n",
    "brackets-are-no-class": "Host web[1]\n Port 5\nHost web1\n Port 7\n",
    "comments": "# Port 1\nPort 44 # not 45\nUser ops#1\n",
    "many-keys": "IdentityFile ~/.ssh/a\nHost web1\n IdentityFile %d/.ssh/%h-%r\n IdentityFile ~/.ssh/a\n"
    "IdentitiesOnly yes\n",
    "tokens": "Host web1\n HostName %h.example\n User u\n Port 9\n IdentityFile /k/%n-%h-%p-%r-%%\n"
    " ProxyCommand nc -X 5 %h %p # %r\n",
    "jumps": "Host web1\n ProxyJump a@one:1,two\nHost *\n ProxyCommand nope\n",
    "no-jump": "Host web1\n ProxyJump none\nHost *\n ProxyJump bastion\n",
    "no-command": "Host web1\n ProxyCommand none\nHost *\n ProxyCommand nc %h\n",
    "match-host": "Host web1\n HostName real.example\nMatch host real.example\n Port 8\n"
    "Match originalhost web1\n User m\n",
    "match-user": "Host web1\n User x\nMatch user x,y host !db,*\n Port 8\nMatch !user x\n Port 9\n",
    "match-local": "Match localuser nobody-at-all\n Port 1\nMatch all\n Port 2\n",
    "match-exec": 'Match exec "test %n = web1"\n Port 12\nMatch !exec true\n Port 13\nMatch exec false\n User z\n',
    "match-final": "Match final host real.example\n Port 14\nHost web1\n HostName real.example\nMatch final\n User f\n",
    "final-host": "Host real.example\n Port 15\nHost web1\n HostName real.example\nMatch final all\n User g\n",
    "final-name": "Match final\n HostName real.example\n Port 16\n",
    "known-hosts": "UserKnownHostsFile ~/.ssh/a /b/%h\nGlobalKnownHostsFile /c /d\nHostKeyAlias alias\n",
    "strict": "StrictHostKeyChecking yes\nConnectTimeout 7\nAddressFamily inet6\n",
    "agent": "IdentityAgent ~/agent.sock\n",
    "no-agent": "IdentityAgent none\n",
    "certificates": "CertificateFile ~/.ssh/c-cert.pub\nIdentityFile ~/.ssh/c\n",
    "cr-lf": "Host web1\r\n  Port 2222\r\n  User deploy\r\n",
    "no-host": "Host\nPort 3\n",
    "capitals": "HOST web1\n pOrT 21\n",
}
HOSTS = ("web1", "web2", "db.example", "WEB1")


def by_ssh(file: Path, host: str) -> dict[str, list[str]]:
    """What the real one says, by keyword."""
    done = subprocess.run(["ssh", "-G", "-F", str(file), host], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def alike(ours: HostSettings, theirs: dict[str, list[str]]) -> None:
    """Compare what both show; ``ssh -G`` leaves ``~`` and most tokens in paths as they are."""
    assert ours.host_name.lower() == theirs["hostname"][0].lower()
    assert str(ours.port or 22) == theirs["port"][0]
    if ours.user is not None:
        assert ours.user == theirs["user"][0]
    assert len(ours.identity_files) == len(theirs["identityfile"]) or not ours.identity_files
    assert [Path(key).name for key in ours.identity_files if "%" not in key] == [
        Path(key).name for key in theirs["identityfile"] if ours.identity_files and "%" not in key
    ] or any("%" in key for key in theirs["identityfile"])
    assert ",".join(ours.proxy_jump) == theirs.get("proxyjump", [""])[0]
    jumps = "proxyjump" in theirs
    assert bool(ours.proxy_command) == ("proxycommand" in theirs and not jumps)
    assert ("yes" if ours.identities_only else "no") == theirs["identitiesonly"][0]
    assert ours.host_key_alias == theirs.get("hostkeyalias", [""])[0]
    assert {"any": "any", "inet": "inet", "inet6": "inet6"}[ours.address_family] == theirs["addressfamily"][0]
    assert str(ours.connect_timeout or "none") == theirs["connecttimeout"][0]
    assert ours.strict in ("", "yes")
    assert (ours.strict == "yes") == (theirs["stricthostkeychecking"][0] == "true")
    assert len(ours.known_hosts) == len(theirs["userknownhostsfile"][0].split())
    assert list(ours.system_known_hosts) == theirs["globalknownhostsfile"][0].split()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_the_files_say_is_what_ssh_takes_from_them(tmp_path: Path, name: str, host: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(CONFIGS[name].encode())
    if name == "no-host":
        with pytest.raises(AssertionError):
            by_ssh(file, host)
        return
    alike(host_settings(host, file=str(file)), by_ssh(file, host))


PIECES = st.sampled_from(
    [
        "Host web1",
        "Host web* !web2",
        "Host *",
        "Host other",
        "Match host real.example",
        "Match originalhost web1 user deploy",
        "Match !host web2 all",
        "Match final",
        "Match final host real.example",
        "  HostName real.example",
        "  HostName %h.example",
        "  Port 22",
        "  Port 2200",
        "  User deploy",
        "  User ops",
        "  IdentityFile ~/.ssh/one",
        "  IdentityFile ~/.ssh/two",
        "  IdentitiesOnly yes",
        "  ProxyJump bastion",
        "  ProxyJump none",
        "  ProxyCommand nc %h %p",
        "  HostKeyAlias one-name",
        "  Include {folder}/included",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(PIECES, max_size=14), included=st.lists(PIECES, max_size=5), host=st.sampled_from(HOSTS[:2]))
def test_any_mixture_of_blocks_is_read_as_ssh_reads_it(
    tmp_path: Path, lines: list[str], included: list[str], host: str
) -> None:
    texts = {"config": lines, "included": [line for line in included if "Include" not in line]}
    for name, text in texts.items():
        (tmp_path / name).write_text("".join(f"{line.format(folder=tmp_path)}\n" for line in text))
    ssh_lines.lines_of.cache_clear()  # files change faster than a clock ticks
    if any("Match" in line and line.endswith(" all") for line in (*lines, *included)):
        return  # ssh takes `all` by itself only
    alike(host_settings(host, file=str(tmp_path / "config")), by_ssh(tmp_path / "config", host))


def test_paths_and_commands_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("KEYS", "/keys")
    file = tmp_path / "config"
    file.write_text(
        "HostName %h.example\nPort 77\nUser ops\nIdentityFile ~/.ssh/%n\nIdentityFile ${KEYS}/%r@%h-%p\n"
        "ProxyCommand nc -x proxy:1080 %h %p # as it is\nIdentityAgent $NO_SUCH_VARIABLE\nUserKnownHostsFile none\n"
    )
    found = host_settings("web1", file=str(file))
    assert found.identity_files == ("/home/ann/.ssh/web1", "/keys/ops@web1.example-77")
    assert found.proxy_command == "nc -x proxy:1080 web1.example 77 # as it is"
    assert (found.identity_agent, found.known_hosts) == ("", ())


def test_what_is_given_wins_and_counts_for_tokens_and_match(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Match user ops\n Port 1\nHost *\n Port 2\n User deploy\n IdentityFile /k/%r-%p\n")
    found = host_settings("web1", user="ops", port=9, file=str(file))
    assert (found.user, found.port, found.identity_files) == ("ops", 9, ("/k/ops-9",))


def test_the_users_file_comes_before_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    system = tmp_path / "system"
    system.write_text("Port 5\nUser system\n")
    monkeypatch.setattr("kamal_pyinfra.ssh.client_config.SYSTEM", system)
    assert host_settings("web1").port == 5
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Include conf.d/*\nPort 6\n")
    (tmp_path / ".ssh/conf.d").mkdir()
    (tmp_path / ".ssh/conf.d/b").write_text("Host web1\nPort 7\n")
    assert (host_settings("web1").port, host_settings("web2").port, host_settings("web1").user) == (7, 6, "system")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Port x\n", ":1: 'x' should be a number"),
        ('\nUser "a\n', ":2: a quote is not closed"),
        ("Match host\n", ":1: "),
    ],
)
def test_what_means_nothing_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(SshConfigError, match=re.escape(f"{file}{said}")):
        host_settings("web1", file=str(file))


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"Include {file}\n")
    with pytest.raises(SshConfigError, match="include each other"):
        host_settings("web1", file=str(file))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web1", Address("web1")),
        ("192.0.2.10", Address("192.0.2.10")),
        ("deploy@web1", Address("web1", "deploy")),
        ("web1:2222", Address("web1", None, 2222)),
        ("deploy@192.0.2.10:2222", Address("192.0.2.10", "deploy", 2222)),
        ("2001:db8::1", Address("2001:db8::1")),
        ("deploy@2001:db8::1", Address("2001:db8::1", "deploy")),
        ("[2001:db8::1]", Address("2001:db8::1")),
        ("[2001:db8::1]:2222", Address("2001:db8::1", None, 2222)),
        ("ops@[fe80::1%eth0]:22", Address("fe80::1%eth0", "ops", 22)),
        ("ssh://web1", Address("web1")),
        ("ssh://deploy@web1:2222", Address("web1", "deploy", 2222)),
        ("ssh://[2001:db8::1]:2222/", Address("2001:db8::1", None, 2222)),
        ("a@b@web1", Address("web1", "a@b")),
        ("", None),
        ("web1:", None),
        (":22", None),
        ("web1:0", None),
        ("web1:70000", None),
        ("web1:ssh", None),
        ("[web1]:22", None),
        ("a b", None),
        ("web1,web2", None),
        ("-oProxyCommand=x", None),
        ("http://web1", None),
        ("web1/x", None),
    ],
)
def test_an_address_in_any_form_has_these_parts(text: str, parts: Address | None) -> None:
    assert parse_address(text) == parts
