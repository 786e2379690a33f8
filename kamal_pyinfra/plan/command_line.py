"""A command line of the configuration as words."""

from __future__ import annotations

import shlex


def split_command(command: str) -> tuple[str, ...]:
    """The words of ``cmd``, split as a shell would; without expansion, which would happen on the host.

    A text with an open quote is split at spaces; the configuration refuses it before it comes here.
    """
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())
