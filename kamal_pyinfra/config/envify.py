"""``.env`` from a template: ``.env[.DEST].erb``, ``.tpl`` or ``.j2`` (Kamal 1.9, ``envify``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kamal_pyinfra.config.destinations import check_destination
from kamal_pyinfra.config.environment import parse_env_file
from kamal_pyinfra.config.erb_text import render_erb
from kamal_pyinfra.config.erb_values import Values
from kamal_pyinfra.config.jinja_text import render_jinja
from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.write import write
from kamal_pyinfra.config.yaml_nodes import read_text
from kamal_pyinfra.errors import ConfigError

KINDS = (".erb", ".tpl", ".j2")


def env_name(destination: str | None) -> str:
    """``.env`` or ``.env.DESTINATION``."""
    return ".env" if destination is None else f".env.{destination}"


def template_names(destination: str | None) -> list[str]:
    """The names that a template may have."""
    return [env_name(destination) + kind for kind in KINDS]


def envify(root: Path, destination: str | None, environ: Mapping[str, str]) -> str | None:
    """Write the env file from its template, for its owner only and all at once.

    Args:
        root: the project's folder.
        destination: whose file; ``None`` for ``.env``.
        environ: the process environment alone: what an old ``.env`` says must not come back (Kamal 1.9 §8.1).

    Returns:
        The template's name; ``None`` if there is none, and then nothing was written.

    Raises:
        ConfigError: there are two templates, or the one there is cannot be used.
    """
    template = find_template(root, destination)
    if template is None:
        return None
    source = read_text(root / template)
    if isinstance(source, Problem):
        raise ConfigError(str(source._replace(position=source.position._replace(file=template))))
    path = Path(template)
    is_erb = path.suffix == ".erb"
    text = render_erb(source, path, Values(environ, root)) if is_erb else render_jinja(source, path, environ)
    check(text, env_name(destination), template)
    write(root / env_name(destination), text, mode=0o600)
    return template


def find_template(root: Path, destination: str | None) -> str | None:
    """The name of the template that is there; ``None`` if there is none.

    Raises:
        ConfigError: there are two.
    """
    check_destination(destination)
    found = [name for name in template_names(destination) if (root / name).is_file()]
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(found)}: which one is meant? Remove the other")
    return found[0] if found else None


def check(text: str, name: str, template: str) -> None:
    """Make sure that the result can be read back.

    Raises:
        ConfigError: with the lines that cannot; never with what they say.
    """
    problems = parse_env_file(text, name, {})[1]
    if problems:
        lines = [
            f"{problem} (as it comes out of {template}; a value with line breaks needs quotes)" for problem in problems
        ]
        raise ConfigError(*lines, f"{name} was not written.")
