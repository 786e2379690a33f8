"""Images like Docker Hub's for Python, Node and Ruby, made of packages alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.project import CHECKOUT
from tests.lab.lab import Lab
from tests.lab.names import IMAGE_LABEL

HEAD = f"ARG BASE\nFROM ${{BASE}}\nLABEL {IMAGE_LABEL}=frameworks\n"
PYTHON = f"""{HEAD}
COPY wheels /wheels
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
RUN ln -s /wheels/pip-*.whl /pip.whl \\
 && printf '#!/bin/sh\\nexec python3 /pip.whl/pip "$@"\\n' >/usr/local/bin/pip && chmod +x /usr/local/bin/pip
"""
NODE = f"""{HEAD}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs >/dev/null
"""

RUBY = f"""{HEAD}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \\
  bundler ruby-rails ruby-sqlite3 puma >/dev/null
RUN printf '#!/bin/sh\\n[ "$1" != install ] || set -- "$@" --local\\nexec /usr/bin/bundle "$@"\\n' \\
  >/usr/local/bin/bundle && chmod +x /usr/local/bin/bundle
"""


def build_python(lab: Lab, folder: Path, tag: str) -> None:
    """Python with pip, and with the wheels that the examples ask for."""
    lists = [str(path) for path in CHECKOUT.glob("examples/*/requirements.txt")]
    download(lab, folder / "wheels", ["pip", *(word for path in lists for word in ("-r", path))])
    _build(lab, folder, tag, PYTHON)


def build_node(lab: Lab, folder: Path, tag: str) -> None:
    """Node from Debian."""
    _build(lab, folder, tag, NODE)


def build_ruby(lab: Lab, folder: Path, tag: str) -> None:
    """Ruby, Bundler and the gems of Rails from Debian."""
    _build(lab, folder, tag, RUBY)


def _build(lab: Lab, folder: Path, tag: str, text: str) -> None:
    (folder / "Dockerfile").write_text(text)
    lab.docker.build(tag, folder, BASE=lab.base_image)


def download(lab: Lab, folder: Path, wanted: Iterable[str]) -> None:
    """Wheels with what they require, for the Python of the lab's images, from where this machine's pip gets them."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = lab.docker("run", "--rm", lab.base_image, "python", "-c", asked).stdout.strip()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    command += ["--only-binary", ":all:", "--python-version", version]
    subprocess.run([*command, *wanted], check=True, timeout=200)
