"""A Jinja template as text: variables of the environment, in a sandbox, and none that is not set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Position
from kamal_pyinfra.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Template

UNDEFINED = re.compile(r"'([A-Za-z_]\w*)' is undefined", re.ASCII)
FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an expression of a template can raise by itself."""


def render_jinja(source: str, path: Path, environ: Mapping[str, str]) -> str:
    """The text with every expression replaced; ``NAME`` and ``env["NAME"]`` are the variables.

    Args:
        source: the template.
        path: where it was read, for messages.
        environ: names and values.

    Raises:
        ConfigError: the template cannot be read, does what is not allowed, or asks for a variable that is not set.
    """
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError  # noqa: PLC0415 - only for templates

    try:
        return template(source, path).render({"env": dict(environ), **environ})
    except TemplateSyntaxError as error:
        raise located(path, error.lineno, f"not a Jinja template: {error.message}") from None
    except UndefinedError as error:
        raise located(path, line_in(path, error), undefined(str(error))) from None
    except (TemplateError, *FAILURES) as error:  # the message of such an error could show a value
        raise located(path, line_in(path, error), f"cannot be evaluated ({type(error).__name__})") from None


def undefined(message: str) -> str:
    """What is not defined, and the way out; any other message than that of a plain name could show a value."""
    found = UNDEFINED.fullmatch(message)
    if found is None:
        return "a value is not defined"
    name = found[1]
    return f"{name} is not set; export it, or write {{{{ {name} | default('') }}}} if it may be empty"


def template(source: str, path: Path) -> Template:
    """The compiled template; it can include no other file."""
    from jinja2 import FunctionLoader, StrictUndefined  # noqa: PLC0415 - only for templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        loader=FunctionLoader(lambda name: (source, name, None) if name == str(path) else None),
    )
    return environment.get_template(str(path))


def located(path: Path, line: int, message: str) -> ConfigError:
    """One problem of the template."""
    return ConfigError(str(Problem(Position(str(path), line, 1), "", message)))


def line_in(path: Path, error: BaseException) -> int:
    """The line of the template in which it was; Jinja puts its own lines into the traceback."""
    lines = [trace.tb_lineno for trace in traces(error) if trace.tb_frame.f_code.co_filename == str(path)]
    return lines[-1] if lines else 1


def traces(error: BaseException) -> Iterator[TracebackType]:
    """The steps of a traceback, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next
