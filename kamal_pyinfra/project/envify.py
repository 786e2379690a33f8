"""Rendering of ``.env`` from an ERB or Jinja template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from kamal_pyinfra.config.document.erb import Values, render_erb
from kamal_pyinfra.config.document.reader import read_text
from kamal_pyinfra.config.document.source import check_destination, parse_env_file
from kamal_pyinfra.config.document.tree import Position, Problem
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.write import write

if TYPE_CHECKING:
    from jinja2 import Template

UNDEFINED = re.compile(r"'([A-Za-z_]\w*)' is undefined", re.ASCII)
FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an expression of a template can raise by itself."""
KINDS = (".erb", ".tpl", ".j2")


def render_jinja(source: str, path: Path, environ: Mapping[str, str]) -> str:
    """Replace every expression in a template; ``NAME`` and ``env["NAME"]`` are the variables.

    Raises ConfigError if the template cannot be read, does what is not allowed, or needs a variable that is not set.
    """
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError  # noqa: PLC0415 - only for templates

    try:
        return _compiled(source, path).render({"env": dict(environ), **environ})
    except TemplateSyntaxError as error:
        line, message = error.lineno, f"not a Jinja template: {error.message}"
    except UndefinedError as error:
        line, message = _line_in(path, error), _undefined(str(error))
    except (TemplateError, *FAILURES) as error:  # the message of such an error could show a value
        line, message = _line_in(path, error), f"cannot be evaluated ({type(error).__name__})"
    raise ConfigError(str(Problem(Position(str(path), line, 1), "", message)))


def _undefined(message: str) -> str:
    """Return the name without a value and what to do; other messages than that of a plain name could show a value."""
    found = UNDEFINED.fullmatch(message)
    if found is None:
        return "a value is not defined"
    name = found[1]
    return f"{name} is not set; export it, or write {{{{ {name} | default('') }}}} if it may be empty"


def _compiled(source: str, path: Path) -> Template:
    """Compile a template; it cannot include another file."""
    from jinja2 import FunctionLoader, StrictUndefined  # noqa: PLC0415 - only for templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        loader=FunctionLoader(lambda name: (source, name, None) if name == str(path) else None),
    )
    return environment.get_template(str(path))


def _line_in(path: Path, error: BaseException) -> int:
    """Return the line of the template at which an error arose; Jinja adds its own lines to the traceback."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return lines[-1] if lines else 1


def env_name(destination: str | None) -> str:
    """Return ``.env`` or ``.env.DESTINATION``."""
    return ".env" if destination is None else f".env.{destination}"


def template_names(destination: str | None) -> list[str]:
    """Return names that the template may have."""
    return [env_name(destination) + kind for kind in KINDS]


def envify(root: Path, destination: str | None, environ: Mapping[str, str]) -> str | None:
    """Write the env file from its template, readable by its owner only and all at once.

    ``environ`` is the process environment alone, so that an old ``.env`` has no influence (Kamal 1.9 §8.1).
    Returns the template's name, or ``None`` without one; raises ConfigError for two templates or an unusable one.
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
    name = env_name(destination)
    if problems := parse_env_file(text, name, {})[1]:
        hint = f"(as it comes out of {template}; a value with line breaks needs quotes)"
        raise ConfigError(*(f"{problem} {hint}" for problem in problems), f"{name} was not written.")
    write(root / name, text, mode=0o600)
    return template


def find_template(root: Path, destination: str | None) -> str | None:
    """Return the name of the template; ``None`` without one; raise ConfigError for two."""
    check_destination(destination)
    found = [name for name in template_names(destination) if (root / name).is_file()]
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(found)}: which one is meant? Remove the other")
    return found[0] if found else None
