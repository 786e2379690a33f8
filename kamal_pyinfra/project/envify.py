"""Rendering of ``.env`` from an ERB or Jinja template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from traceback import walk_tb

from kamal_pyinfra.config.document.erb import Renderer, Values
from kamal_pyinfra.config.document.reader import read_text
from kamal_pyinfra.config.document.source import check_destination, parse_env_file
from kamal_pyinfra.config.document.tree import Position, Problem
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.write import write

UNDEFINED = re.compile(r"'([A-Za-z_]\w*)' is undefined", re.ASCII)
FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an expression of a template can raise by itself."""


def render_jinja(source: str, path: Path, environ: Mapping[str, str]) -> str:
    """Replace every expression in a template, which can include no file; ``NAME``, ``env["NAME"]`` are the variables.

    Raises ConfigError if the template cannot be read, does what is not allowed, or needs a variable that is not set.
    """
    from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - only for templates

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        loader=FunctionLoader(lambda name: (source, name, None) if name == str(path) else None),
    )
    try:
        return environment.get_template(str(path)).render({"env": dict(environ), **environ})
    except TemplateSyntaxError as error:
        line, message = error.lineno, f"not a Jinja template: {error.message}"
    except (TemplateError, *FAILURES) as error:
        # Jinja adds its own lines to the traceback
        lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
        line, message = (lines or [1])[-1], _without_values(error)
    raise ConfigError(str(Problem(Position(str(path), line, 1), "", message)))


def _without_values(error: Exception) -> str:
    """Return what is wrong; of messages that could show a value, only the kind."""
    from jinja2 import UndefinedError  # noqa: PLC0415 - only for templates

    if not isinstance(error, UndefinedError):
        return f"cannot be evaluated ({type(error).__name__})"
    if (found := UNDEFINED.fullmatch(str(error))) is None:
        return "a value is not defined"
    return f"{found[1]} is not set; export it, or write {{{{ {found[1]} | default('') }}}} if it may be empty"


def template_names(destination: str | None) -> list[str]:
    """Return names that the template may have: that of the env file, and a suffix."""
    return [(".env" if destination is None else f".env.{destination}") + kind for kind in (".erb", ".tpl", ".j2")]


def envify(root: Path, template: str, environ: Mapping[str, str]) -> None:
    """Write the env file from its template, readable by its owner only and all at once.

    ``environ`` is the process environment alone, so that an old ``.env`` has no influence (Kamal 1.9 §8.1).
    Raises ConfigError for a template that is unusable.
    """
    source = read_text(root / template)
    if isinstance(source, Problem):
        raise ConfigError(str(source._replace(position=source.position._replace(file=template))))
    path = Path(template)
    is_erb = path.suffix == ".erb"
    text = Renderer(source, path, Values(environ, root)).text() if is_erb else render_jinja(source, path, environ)
    if problems := parse_env_file(text, path.stem, {})[1]:
        hint = f"(as it comes out of {template}; a value with line breaks needs quotes)"
        raise ConfigError(*(f"{problem} {hint}" for problem in problems), f"{path.stem} was not written.")
    write(root / path.stem, text, mode=0o600)


def find_template(root: Path, destination: str | None) -> str | None:
    """Return the name of the template; ``None`` without one; raise ConfigError for two."""
    check_destination(destination)
    found = [name for name in template_names(destination) if (root / name).is_file()]
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(found)}: which one is meant? Remove the other")
    return found[0] if found else None
