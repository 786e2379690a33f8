"""Rules of the proxy's routers that can never parse, found before any host is touched.

A rule is a Go expression of matchers with quoted arguments (https://doc.traefik.io/traefik/routing/routers/#rule, for
Traefik 2.11 and 3). Traefik logs an error for one that it cannot parse, drops the router, and answers 404. What depends
on its version (how many arguments a matcher takes, whether an expression matches) is left to Traefik and to the gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from kamal_pyinfra.config.document.tree import did_you_mean
from kamal_pyinfra.config.model import Config

LABEL = re.compile(r"traefik\.(http|tcp)\.routers\.[^.]+\.rule", re.IGNORECASE)
MATCHERS = (
    *("ALPN", "ClientIP", "Header", "HeaderRegexp", "Headers", "HeadersRegexp", "Host", "HostHeader", "HostRegexp"),
    *("HostSNI", "HostSNIRegexp", "Method", "Path", "PathPrefix", "PathRegexp", "Query", "QueryRegexp"),
)
TOKEN = re.compile(r"\s+|(?P<text>`[^`]*`|\"(?:[^\"\\\n]|\\.)*\")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[!(),])")
WAY_OUT = "write a rule such as Host(`shop.example.com`) && PathPrefix(`/api`)"
NAMES = {name.lower() for name in MATCHERS}


def router_rules(config: Config) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Rules in the labels of the configuration that no Traefik can parse."""
    yield from _of_labels(("labels",), config.labels)
    yield from _of_labels(("traefik", "labels"), config.traefik.labels)
    for name, section in config.servers.items():
        yield from _of_labels(("servers", name, "labels"), section.labels)
    for name, accessory in config.accessories.items():
        yield from _of_labels(("accessories", name, "labels"), accessory.labels)


def _of_labels(steps: tuple[int | str, ...], labels: Mapping[str, str]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    for name, value in labels.items():
        if LABEL.fullmatch(name) and value.strip() and (problem := rule_problem(value)):
            yield (*steps, name), f"{problem}; {WAY_OUT}"


def rule_problem(rule: str) -> str:
    """Why a rule cannot be parsed; empty if it can."""
    tokens: list[str] = []
    at = 0
    while at < len(rule):
        found = TOKEN.match(rule, at)
        if found is None:
            return _unreadable(rule, at, tokens)
        if found.lastgroup:
            tokens.append(found[0])
        at = found.end()
    return _unknown(tokens) or _Reader(tokens).problem()


def _unreadable(rule: str, at: int, tokens: list[str]) -> str:
    if rule[at] in '`"':
        return f"a {rule[at]} has no end"
    if tokens.count("(") > tokens.count(")"):
        inside = rule[rule.rindex("(", 0, at) + 1 :].partition(")")[0].strip()
        return f"what is in the brackets must be in backticks: `{inside}`"
    return f"{rule[at]} is no part of a rule"


def _unknown(tokens: list[str]) -> str:
    for name, following in pairwise(tokens):
        if following == "(" and re.match(r"[A-Za-z_]", name) and name.lower() not in NAMES:
            return f"there is no matcher {name}{did_you_mean(name, MATCHERS)}"
    return ""


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
