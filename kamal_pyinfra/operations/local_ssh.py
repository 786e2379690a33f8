"""The way from the docker command to a remote engine, with the keys of deploy.yml."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kamal_pyinfra.config import Config
from kamal_pyinfra.operations.local_program import Programs
from kamal_pyinfra.plan.builder import ImageBuilder
from kamal_pyinfra.ssh.host_data import ssh_config, ssh_script


@contextmanager
def programs_with_ssh(config: Config, builder: ImageBuilder, programs: Programs) -> Iterator[Programs]:
    """Programs for which ``ssh`` knows the keys and known hosts of the configuration.

    The docker command reaches ``ssh://`` addresses by whatever ``ssh`` it finds, and has no option for keys. So it
    finds one of ours first, which is the real one with a configuration. No secret is in it.
    """
    program = shutil.which("ssh")
    if program is None or not any(node.host.startswith("ssh://") for node in builder.nodes):
        yield programs
        return
    cache = Path("~/.cache/kamal_pyinfra").expanduser()  # a folder for temporary files may forbid programs
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="ssh-", dir=cache) as name:
        folder = Path(name)
        (folder / "config").write_text(_settings(config), encoding="utf-8")
        (folder / "ssh").write_text(ssh_script(program, str(folder / "config")), encoding="utf-8")
        (folder / "ssh").chmod(0o700)
        yield programs.having(env={"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"})


def _settings(config: Config) -> str:
    keys = [_absolute(config, key) for key in config.ssh.keys]
    known_hosts = config.ssh.known_hosts
    return ssh_config(config.ssh, keys=keys, known_hosts=_absolute(config, known_hosts) if known_hosts else None)


def _absolute(config: Config, path: str) -> str:
    """A path that means the same wherever the build runs."""
    return str(config.root / Path(path).expanduser())
