"""Whether a host is itself: each line of a file counts alone, and what cannot be read opens no door."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paramiko import ECDSAKey, PKey, RSAKey

from kamal_pyinfra.ssh import host_keys
from kamal_pyinfra.ssh.client_config import HostSettings
from kamal_pyinfra.ssh.host_keys import HostKeyRefused, HostKeys, RunKeys, fingerprint

RUN = RunKeys()
"""A run that knows no host yet when a test begins."""
KEY, OTHER, RSA = ECDSAKey.generate(), ECDSAKey.generate(), RSAKey.generate(2048)


def line(hosts: str, key: PKey = KEY, marker: str = "") -> str:
    return f"{marker} {hosts} {key.get_name()} {key.get_base64()} a comment\n".lstrip()


@pytest.fixture(autouse=True)
def told() -> list[str]:
    RUN.accepted.clear()
    lines: list[str] = []
    RUN.on_accepted = lines.append
    return lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ssh/known_hosts"


def trusted(files: tuple[str, ...], **settings: Any) -> HostSettings:
    return HostSettings("web1", "web1", known_hosts=files, **settings)


def written(file: Path, content: str | bytes) -> HostSettings:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    return trusted((str(file),))


def check(trust: HostSettings, *names: str, key: PKey = KEY) -> None:
    HostKeys(names or ("web1",), trust, RUN).check(key)


KNOWN = {
    "plain": line("web1"),
    "one of several names": line("web1.example,web1,192.0.2.1"),
    "a pattern": line("web?,!web2"),
    "capitals": line("WEB1"),
    "two keys": line("web1", OTHER) + line("web1"),
    "another kind too": line("web1", RSA) + line("web1"),
    "behind a Latin-1 comment": "# Schlüssel von Jörg\n" + line("web1"),
    "with a Latin-1 comment": line("web1").replace("a comment", "Jörg"),
    "behind a cut-off line": line("web1", OTHER)[:60] + "\n" + line("web1"),
    "behind a line of bytes": "\xff\xfe\x00\x80 \x00\n" + line("web1"),
    "behind a key that is not base64": "web1 ssh-ed25519 %%%%\n" + line("web1"),
    "behind a key that says another type": f"web1 ssh-ed25519 {OTHER.get_base64()}\n" + line("web1"),
    "behind a key of an unknown type": "web1 ssh-new AAAAB3NzaC1uZXcAAAAB\n" + line("web1"),
    "behind a marker that nobody knows": line("web1", OTHER, "@trusted") + line("web1"),
    "behind an old key": "web1 1024 35 1234567890\n" + line("web1"),
    "without an end": line("web1").rstrip("\n"),
    "cr-lf": line("web1").replace("\n", "\r\n"),
    "tabs": line("web1").replace(" ", "\t"),
    "revoked elsewhere": line("web2", KEY, "@revoked") + line("web1"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_key_is_known_and_another_is_refused(file, told, name):
    trust = written(file, KNOWN[name])
    check(trust)
    stranger = ECDSAKey.generate()
    with pytest.raises(HostKeyRefused, match=f"^the key of web1 is another than {file}:[0-9]+ "):
        check(trust, key=stranger)
    assert (told, file.read_bytes()) == ([], KNOWN[name].encode("latin-1"))


REFUSED = {
    "revoked": line("web1", KEY, "@revoked"),
    "revoked after it was known": line("web1") + line("web1", KEY, "@revoked"),
    "revoked for all": line("*", KEY, "@revoked"),
    "known by another kind": line("web1", RSA),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_revoked_key_and_one_of_another_kind_are_refused(file, told, name):
    trust = written(file, REFUSED[name])
    with pytest.raises(HostKeyRefused, match="is revoked" if "revoked" in name else "is another than"):
        check(trust)
    assert told == []


@pytest.mark.parametrize("name", ["web1", "[web1]:2222", "2001:db8::1"])
def test_a_file_that_ssh_keygen_hashed_says_the_same(file, name):
    trust = written(file, line(name) + line("web9", OTHER))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert name not in file.read_text()
    check(trust, name)
    with pytest.raises(HostKeyRefused, match="is another than"):
        check(trust, name, key=OTHER)


def test_a_name_without_port_counts_for_any_port_unless_the_port_has_a_key_of_its_own(file, told):
    trust = written(file, line("web1") + line("[web1]:2222", OTHER))
    check(trust, "[web1]:2200", "web1")
    check(trust, "[web1]:2222", "web1", key=OTHER)
    with pytest.raises(HostKeyRefused, match="is another than"):
        check(trust, "[web1]:2222", "web1")
    assert told == []
    check(trust, "[web1]:2200", "web1", key=OTHER)  # another sshd on the same machine
    assert len(told) == 1


def test_a_certificate_authority_vouches_for_nothing_that_is_no_certificate(file, told):
    trust = written(file, line("*", KEY, "@cert-authority"))
    assert HostKeys(("web1",), trust, RUN).types == ()
    shown = f"{KEY.get_name()} {fingerprint(KEY.asbytes())}"
    why = (
        f" ({file}:1 has a certificate authority for it, but kp checks no host certificates, which ssh does: `ssh {{}} "
        f"cat /etc/ssh/ssh_host_ed25519_key.pub | sed 's/^/{{}} /' >> {file}` takes its key over)"
    )
    with pytest.raises(HostKeyRefused) as refused:
        check(trusted(trust.known_hosts, strict="yes"))
    reason = f"no key of web1 is in {file}, and `host_keys: strict` refuses {shown}{why.format('web1', 'web1')}"
    assert str(refused.value) == reason
    check(trust)
    check(trust, "[web2]:2222", "web2")
    assert told == [
        f"web1: new host key accepted, {shown}{why.format('web1', 'web1')}, written to {file}",
        f"[web2]:2222: new host key accepted, {shown}{why.format('-p 2222 web2', '[web2]:2222')}, written to {file}",
    ]
    told.clear()
    check(trust)
    assert told == []


def test_a_certificate_authority_for_other_hosts_is_not_named(file, told):
    check(written(file, line("*.example.com", KEY, "@cert-authority")))
    assert told == [f"web1: new host key accepted, {KEY.get_name()} {fingerprint(KEY.asbytes())}, written to {file}"]


def test_all_files_count_and_the_first_gets_new_keys(file, tmp_path, told):
    second = tmp_path / "second"
    second.write_text(line("web2"))
    trust = trusted((str(file), str(second)), system_known_hosts=(str(tmp_path / "system"),))
    (tmp_path / "system").write_text(line("web3") + line("*", OTHER, "@revoked"))
    check(trust, "web2")
    check(trust, "web3")
    assert told == []
    check(trust, "web1")
    assert file.read_text() == line("web1").replace(" a comment", "")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with pytest.raises(HostKeyRefused, match="is revoked"):
        check(trust, "web4", key=OTHER)


def test_a_new_key_is_told_once_in_one_line_with_its_fingerprint_as_ssh_shows_it(file, told, tmp_path):
    trust = written(file, "")
    check(trust)
    check(trust)
    (tmp_path / "key.pub").write_text(f"{KEY.get_name()} {KEY.get_base64()}\n")
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert fingerprint(KEY.asbytes()) == shown.stdout.split()[1]
    assert told == [f"web1: new host key accepted, {KEY.get_name()} {fingerprint(KEY.asbytes())}, written to {file}"]


def test_a_key_that_changes_within_a_run_is_refused_whatever_became_of_the_file(file, told):
    trust = written(file, "")
    early = HostKeys(("web1",), trust, RUN)
    check(trust)
    file.unlink()
    for keys in (early, HostKeys(("web1",), trust, RUN)):
        with pytest.raises(HostKeyRefused, match="is another than it had a moment ago"):
            keys.check(OTHER)
    check(trust)
    assert len(told) == 1


def test_a_line_that_was_cut_off_at_the_end_does_not_swallow_the_new_key(file):
    trust = written(file, line("web9", OTHER)[:50])
    check(trust)
    assert file.read_text().splitlines()[1] == line("web1").replace(" a comment\n", "")


def unreadable(file: Path, how: str) -> HostSettings:
    """A file that is there and cannot be read, for root too."""
    file.parent.mkdir()
    if how == "folder":
        file.mkdir()
    elif how == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(file.name)
    return trusted((str(file),))


@pytest.mark.parametrize("how", ["folder", "pipe", "loop"])
def test_a_file_that_cannot_be_read_is_an_error_and_not_an_empty_file(file, told, how):
    trust = unreadable(file, how)
    with pytest.raises(HostKeyRefused, match=rf"^{file} .*: no host key can be checked$"):
        check(trust)
    with pytest.raises(HostKeyRefused, match="no host key can be checked"):
        check(trusted((), system_known_hosts=trust.known_hosts))
    assert told == []


def test_a_file_without_permission_is_an_error(file, monkeypatch):
    trust = written(file, line("web1"))

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(HostKeyRefused, match=r"cannot be read \(Permission denied\): no host key can be checked"):
        check(trust)


def test_no_file_and_the_null_device_are_empty_files(file, told):
    check(trusted((str(file),)), "web1")
    check(trusted(("/dev/null",)), "web2")
    check(trusted(()), "web3")
    assert [text.rpartition(", ")[2] for text in told] == [
        f"written to {file}",
        "written to /dev/null",
        "for this run only: there is no file for it",
    ]
    with pytest.raises(HostKeyRefused, match="moment ago"):
        check(trusted(("/dev/null",)), "web2", key=OTHER)


@pytest.mark.parametrize("why", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_file_that_cannot_be_written_is_told_and_the_key_holds_for_this_run(file, told, monkeypatch, why):
    trust = written(file, line("web9", OTHER))

    def refuse(*_: object) -> int:
        raise OSError(why, os.strerror(why))

    monkeypatch.setattr(os, "open" if why != errno.ENOSPC else "write", refuse)
    check(trust)
    assert told[0].endswith(f", for this run only: {file} cannot be written ({os.strerror(why)})")
    with pytest.raises(HostKeyRefused, match="moment ago"):
        check(trust, key=OTHER)
    assert file.read_text() == line("web9", OTHER)


def test_a_file_that_another_program_holds_is_not_waited_for_without_end(file, told, monkeypatch):
    monkeypatch.setattr(host_keys, "WRITE_SECONDS", 0.2)
    trust = written(file, line("web9", OTHER))
    with file.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        check(trust)
    assert told[0].endswith(f", for this run only: {file} is locked by another program")
    assert file.read_text() == line("web9", OTHER)


def test_on_a_disk_that_takes_half_a_line_nothing_is_left(file, told, monkeypatch):
    trust = written(file, line("web9", OTHER))
    write = os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, data[:20]))
    check(trust)
    assert told[0].endswith(f"{file} cannot be written (no space left)")
    assert file.read_text() == line("web9", OTHER)


def test_a_strict_configuration_refuses_and_writes_nothing(file, told):
    trust = trusted((str(file),), strict="yes")
    with pytest.raises(HostKeyRefused, match=f"^no key of web1 is in {file}, and `host_keys: strict` refuses "):
        check(trust)
    assert (told, file.exists()) == ([], False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{KEY.get_name()} {KEY.get_base64()} old\n".encode(), "is revoked"),
        (b"SSHKRL\n\0rest", "a binary list, which kp cannot read"),
        (None, "is not there"),
    ],
)
def test_the_users_list_of_revoked_keys_counts(file, tmp_path, content, said):
    trust, revoked = written(file, line("web1")), tmp_path / "revoked"
    if content is not None:
        revoked.write_bytes(content)
    with pytest.raises(HostKeyRefused, match=said):
        check(trusted(trust.known_hosts, revoked_host_keys=str(revoked)))
    if content is not None and said == "is revoked":
        check(trusted(trust.known_hosts, revoked_host_keys=str(revoked)), "web2", key=OTHER)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.binary(max_size=200), after=st.binary(max_size=200))
def test_whatever_else_a_file_holds_another_key_is_never_taken(tmp_path, before, after):
    file = tmp_path / f"known_{abs(hash((before, after)))}"
    file.write_bytes(before + b"\n" + line("web1").encode() + after)
    trust = trusted((str(file),))
    with pytest.raises(HostKeyRefused):
        HostKeys(("web1",), trust, RUN).check(OTHER)
    file.unlink()


def test_many_hosts_are_looked_up_by_name():
    """A thousand hosts, each looked up among a thousand lines."""
    names = [f"web{number}.example" for number in range(1000)]
    text = "".join(f"{name} {KEY.get_name()} {KEY.get_base64()}\n" for name in names)
    known = host_keys._File(
        each for number, row in enumerate(text.encode().splitlines()) for each in host_keys._line(row, "f", number)
    )
    assert all(len(known.lines_of(name)) == 1 for name in names)
    assert known.others == []
