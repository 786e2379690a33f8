"""Which engine answers to `docker`, told from what podman-docker 5.4.2 and Docker's own client really print."""

from __future__ import annotations

import pytest

from kamal_pyinfra.shell.script import functions
from tests.shell.fake_host import Answer, FakeHost, template

ASKED = f"version --format {template('version_of_engine')}"
EMULATED = "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.\n"
CGROUPS = (
    'time="2026-11-29T17:55:53Z" level=warning msg="Using cgroups-v1 which is deprecated in favor of cgroups-v2 with '
    "Podman v5 and will be removed in a future version. Set environment variable `PODMAN_IGNORE_CGROUPSV1_WARNING` to "
    'hide this warning."\n'
)
STORAGE = (
    "Error: configure storage: 'overlay' is not supported over overlayfs, a mount_program is required: backing file "
    "system is unsupported for this graph driver\n"
)
NO_FIELD = "Error: template: version:1:35: at <.Server.Components>: can't evaluate field Components\n"
CONFIG = "WARNING: Error loading config file: /root/.docker/config.json: permission denied\n"
DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
PODMAN = Answer(out="podman version 5.4.2", err=EMULATED)
CASES = {
    "Docker": (Answer("26.1.5+dfsg1"), None, "docker 26.1.5+dfsg1\n", 0),
    "Docker that warns": (Answer("26.1.5", err=CONFIG), None, "docker 26.1.5\n", 0),
    "Docker that prints first": (Answer("note: 12.0 is old\n26.1.5"), None, "docker 26.1.5\n", 0),
    "Docker without an engine": (Answer(err=DAEMON, code=1), None, f"docker-error {DAEMON} \n", 1),
    "Docker that says nothing": (Answer(""), None, "docker-error  \n", 1),
    "podman-docker": (Answer(err=EMULATED + CGROUPS + NO_FIELD, code=125), PODMAN, "docker-other podman\n", 1),
    "podman-docker that is told to be quiet": (
        Answer(err=NO_FIELD, code=125),
        Answer("podman version 4.3.1"),
        "docker-other podman\n",
        1,
    ),
    "podman-docker without storage": (
        Answer(err=EMULATED + CGROUPS + STORAGE, code=125),
        PODMAN,
        "docker-other podman\n",
        1,
    ),
    "Docker's client with podman's socket": (Answer("5.4.2 podman"), None, "docker-other podman\n", 1),
}


@pytest.mark.parametrize(("answer", "name", "printed", "code"), CASES.values(), ids=CASES)
def test_the_engine_is_told_in_one_line(
    host: FakeHost, answer: Answer, name: Answer | None, printed: str, code: int
) -> None:
    """Whatever is printed beside the version, and whichever engine has taken the name."""
    host.docker(ASKED, answer)
    if name is not None:
        host.docker("--version", name)
    ran = host.run(f"{functions('engine')}engine")
    assert (ran.out, ran.err, ran.code) == (printed, "", code)
