"""This machine's way to Debian packages, for the hosts: mirror, apt settings and certificates."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab.process import run

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
KEPT_SETTINGS = re.compile(r"Acquire::(http|https|ftp|Retries|ForceIP|Check-Valid-Until|Check-Date)\b")
CERTIFICATES = (Path("/usr/local/share/ca-certificates"), Path("/etc/ssl/certs/ca-certificates.crt"))


def is_debian() -> bool:
    """Tell whether this machine's own mirror is one of Debian (Ubuntu's would not have the suite)."""
    release = Path("/etc/os-release")
    return release.exists() and re.search(r"^ID=debian$", release.read_text(), re.M) is not None


def find_mirror(texts: Iterable[str]) -> str | None:
    """Find the first mirror in the text of sources.list and *.sources files, security archives aside."""
    for text in texts:
        for line in text.splitlines():
            found = re.match(r"(?:URIs:|deb\s+(?:\[[^]]*\]\s*)?)\s*(\S+)", line)
            if found and not re.search(r"security", found[1]):
                return found[1].rstrip("/")
    return None


def mirror() -> str | None:
    """Return the mirror that this machine installs from; without one, debootstrap and the image know their own."""
    if not is_debian():
        return None
    folder = Path("/etc/apt/sources.list.d")
    paths = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.sources")), *sorted(folder.glob("*.list"))]
    return find_mirror(path.read_text() for path in paths if path.exists())


def settings() -> str:
    """Return the apt settings of this machine that say how to reach a mirror."""
    if shutil.which("apt-config") is None:
        return ""
    lines = run(["apt-config", "dump"]).stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if KEPT_SETTINGS.match(line))


def fingerprint() -> str:
    """Return all of it as text, so that images are made anew when it changes."""
    return f"{SUITE} {mirror() or 'default'}\n{settings()}"


def write_machine_files(root: Path) -> None:
    """Write the files that make a Debian root folder install as this machine does."""
    sources = root / "etc/apt/sources.list.d/debian.sources"
    sources.parent.mkdir(parents=True)
    if found := mirror():
        sources.write_text(f"Types: deb\nURIs: {found}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n")
        (root / "etc/apt/sources.list").write_text("")
    (root / "etc/apt/apt.conf.d").mkdir()
    (root / "etc/apt/apt.conf.d/90machine").write_text(settings())
    for source in CERTIFICATES:
        target = root / source.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copyfile(source, target)
