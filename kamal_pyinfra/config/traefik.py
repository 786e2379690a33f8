"""The ``traefik`` section: the proxy in front of the app containers; and rules of its routers that can never parse."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator

from kamal_pyinfra.config.document.tree import did_you_mean
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.values import FilledText, Flag, Section, Text, field, to_filled_text

ROUTER_RULE = re.compile(r"traefik\.(http|tcp)\.routers\.[^.]+\.rule", re.IGNORECASE)
MATCHERS = (
    *("ALPN", "ClientIP", "Header", "HeaderRegexp", "Headers", "HeadersRegexp", "Host", "HostHeader", "HostRegexp"),
    *("HostSNI", "HostSNIRegexp", "Method", "Path", "PathPrefix", "PathRegexp", "Query", "QueryRegexp"),
)
TOKEN = re.compile(r"\s+|(?P<text>`[^`]*`|\"(?:[^\"\\\n]|\\.)*\")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[!(),])")
WAY_OUT = "write a rule such as Host(`shop.example.com`) && PathPrefix(`/api`)"
NAMES = {name.lower() for name in MATCHERS}


def to_host_port(value: object) -> int | str:
    """A port, or ``address:port``."""
    text = to_filled_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text


class Traefik(Section):
    """The proxy: a Traefik container on every host with a role that it routes to."""

    image: FilledText = field("Image of the proxy.", "traefik:v2.11")
    host_port: Annotated[int | str, BeforeValidator(to_host_port)] = field(
        "Port, or `address:port`, where hosts publish the proxy.", 80
    )
    publish: Flag = field("Whether `host_port` is published at all.", True)
    labels: dict[str, Text] = field("Labels, laid over Kamal's own.", {})
    args: Options = field("Arguments of Traefik, laid over `log.level: DEBUG`.", {})
    options: Options = field("More options for `docker run`.", {})
    env: Env = field("Environment of the proxy.", Env())


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
        if found is None and rule[at] in '`"':
            return f"a {rule[at]} has no end"
        if found is None and tokens.count("(") > tokens.count(")"):
            inside = rule[rule.rindex("(", 0, at) + 1 :].partition(")")[0].strip()
            return f"what is in the brackets must be in backticks: `{inside}`"
        if found is None:
            return f"{rule[at]} is no part of a rule"
        if found.lastgroup:
            tokens.append(found[0])
        at = found.end()
    for name, following in pairwise(tokens):
        if following == "(" and re.match(r"[A-Za-z_]", name) and name.lower() not in NAMES:
            return f"there is no matcher {name}{did_you_mean(name, MATCHERS)}"
    if tokens.count("(") != tokens.count(")"):
        return "its opening and closing brackets do not match"
    return _grammar_problem([*tokens, "its end"])


def _grammar_problem(tokens: list[str]) -> str:
    """Why these are no alternatives of conjunctions of matchers, negated or in brackets; the last token is the end."""
    at, depth, is_operand_next = 0, 0, True
    while at < len(tokens) - 1 or depth or is_operand_next:
        word = tokens[at]
        if is_operand_next and re.match(r"[A-Za-z_]\w*\Z", word) and tokens[at + 1] == "(":
            at += 2
            while tokens[at] != ")":
                if tokens[at][0] not in '`"':
                    return f"what is in the brackets must be in backticks: `{tokens[at]}`"
                at += 2 if tokens[at + 1] == "," else 1
            is_operand_next = False
        elif is_operand_next and word in ("!", "("):
            depth += word == "("
        elif is_operand_next:
            return f"a matcher is expected in place of {word}"
        elif word in ("&&", "||"):
            is_operand_next = True
        elif not depth:
            return f"{word} is not expected"
        elif word == ")":
            depth -= 1
        else:
            return f"a closing bracket is expected in place of {word}"
        at += 1
    return ""
