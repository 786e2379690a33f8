"""The ``traefik`` section: the proxy in front of the app containers; and rules of its routers that can never parse."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.document.tree import did_you_mean
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.values import SECTION, FilledText, Flag, Text, to_filled_text


def to_host_port(value: object) -> int | str:
    """A port, or ``address:port``."""
    text = to_filled_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text


class Traefik(BaseModel):
    """The proxy: a Traefik container on every host with a role that it routes to."""

    model_config = SECTION

    image: FilledText = Field(default="traefik:v2.11", description="Image of the proxy.")
    host_port: Annotated[int | str, BeforeValidator(to_host_port)] = Field(
        default=80, description="Port, or `address:port`, where hosts publish the proxy."
    )
    publish: Flag = Field(default=True, description="Whether `host_port` is published at all.")
    labels: dict[str, Text] = Field(default={}, description="Labels, laid over Kamal's own.")
    args: Options = Field(default={}, description="Arguments of Traefik, laid over `log.level: DEBUG`.")
    options: Options = Field(default={}, description="More options for `docker run`.")
    env: Env = Field(default=Env(), description="Environment of the proxy.")


ROUTER_RULE = re.compile(r"traefik\.(http|tcp)\.routers\.[^.]+\.rule", re.IGNORECASE)
MATCHERS = (
    *("ALPN", "ClientIP", "Header", "HeaderRegexp", "Headers", "HeadersRegexp", "Host", "HostHeader", "HostRegexp"),
    *("HostSNI", "HostSNIRegexp", "Method", "Path", "PathPrefix", "PathRegexp", "Query", "QueryRegexp"),
)
TOKEN = re.compile(r"\s+|(?P<text>`[^`]*`|\"(?:[^\"\\\n]|\\.)*\")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[!(),])")
WAY_OUT = "write a rule such as Host(`shop.example.com`) && PathPrefix(`/api`)"
NAMES = {name.lower() for name in MATCHERS}


def rule_problem(rule: str) -> str:
    """Why no Traefik can parse a router's rule; empty if one can.

    A rule is a Go expression of matchers with quoted arguments, in Traefik 2.11 and 3
    (https://doc.traefik.io/traefik/routing/routers/#rule). Traefik logs an error for one that it cannot parse, drops
    the router, and answers 404. What depends on its version (how many arguments a matcher takes, whether an expression
    matches) is left to Traefik and to the gate.
    """
    tokens: list[str] = []
    at = 0
    while at < len(rule):
        found = TOKEN.match(rule, at)
        if found is None:
            return _unreadable(rule, at, tokens)
        if found.lastgroup:
            tokens.append(found[0])
        at = found.end()
    for name, following in pairwise(tokens):
        if following == "(" and re.match(r"[A-Za-z_]", name) and name.lower() not in NAMES:
            return f"there is no matcher {name}{did_you_mean(name, MATCHERS)}"
    return _Reader(tokens).problem()


def _unreadable(rule: str, at: int, tokens: list[str]) -> str:
    if rule[at] in '`"':
        return f"a {rule[at]} has no end"
    if tokens.count("(") > tokens.count(")"):
        inside = rule[rule.rindex("(", 0, at) + 1 :].partition(")")[0].strip()
        return f"what is in the brackets must be in backticks: `{inside}`"
    return f"{rule[at]} is no part of a rule"


class _Reader:
    """Parse tokens as Traefik does: alternatives of conjunctions of matchers, negated or in brackets."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def problem(self) -> str:
        if self.tokens.count("(") != self.tokens.count(")"):
            return "its opening and closing brackets do not match"
        return self._expression() or ("" if self.at == len(self.tokens) else f"{self._next()} is not expected")

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else "its end"

    def _expression(self) -> str:
        while True:
            while self._next() == "!":
                self.at += 1
            if problem := self._operand():
                return problem
            if self._next() not in ("&&", "||"):
                return ""
            self.at += 1

    def _operand(self) -> str:
        if self._next() == "(":
            self.at += 1
            if problem := self._expression():
                return problem
        elif re.match(r"[A-Za-z_]\w*\Z", self._next()) and self.tokens[self.at + 1 : self.at + 2] == ["("]:
            self.at += 2
            if problem := self._arguments():
                return problem
        else:
            return f"a matcher is expected in place of {self._next()}"
        if self._next() != ")":
            return f"a closing bracket is expected in place of {self._next()}"
        self.at += 1
        return ""

    def _arguments(self) -> str:
        while self._next() != ")":
            if self._next()[0] not in '`"':
                return f"what is in the brackets must be in backticks: `{self._next()}`"
            self.at += 1
            if self._next() == ",":
                self.at += 1
        return ""
