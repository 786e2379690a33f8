"""Rules that no Traefik parses are refused when the file is read; all others are left to Traefik."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.config.traefik import rule_problem
from tests.config.conftest import Load, Problems

WAY_OUT = "write a rule such as Host(`shop.example.com`) && PathPrefix(`/api`)"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("PathPrefix(/)", "what is in the brackets must be in backticks: `/`"),
        ("Host(shop.example.com)", "what is in the brackets must be in backticks: `shop.example.com`"),
        ("Host('a.example.com')", "what is in the brackets must be in backticks: `'a.example.com'`"),
        ("Host(shop)", "what is in the brackets must be in backticks: `shop`"),
        ("Host(`a`", "its opening and closing brackets do not match"),
        ("Host(`a`))", "its opening and closing brackets do not match"),
        ("(Host(`a`) && Path(`/`)", "its opening and closing brackets do not match"),
        ("Host(`a.example.com)", "a ` has no end"),
        ("Hots(`a`)", "there is no matcher Hots (did you mean `Host`?)"),
        ("Host(`a`) & Path(`/`)", "& is no part of a rule"),
        ("Host(`a`) and Path(`/`)", "and is not expected"),
        ("Host(`a`) && ", "a matcher is expected in place of its end"),
        ("Host(`a`) || || Path(`/`)", "a matcher is expected in place of ||"),
        ("shop.example.com", ". is no part of a rule"),
        ("`a`", "a matcher is expected in place of `a`"),
    ],
)
def test_a_rule_that_cannot_be_parsed(rule: str, problem: str) -> None:
    assert rule_problem(rule) == problem


@pytest.mark.parametrize(
    "rule",
    [
        "PathPrefix(`/`)",
        "Host(`a.example.com`, `b.example.com`) && (PathPrefix(`/api`) || !Path(`/`))",
        'Host("a.example.com")&&Path("/a \\" b")',
        "HostRegexp(`{sub:[a-z]+}.example.com`)",
        "Headers(`X-A`, `1`) && Query(`a=b`, `c=d`)",
        "  (((Host(`a`))))\n",
        "hostSNI(`*`) && ALPN(`h2`)",
        "!(Method(`GET`) || ClientIP(`10.0.0.0/8`))",
    ],
)
def test_a_rule_that_may_be_right(rule: str) -> None:
    assert rule_problem(rule) == ""


@pytest.mark.parametrize(
    "keys",
    [
        {"labels": "{LABEL: RULE}"},
        {"servers": "{web: {hosts: [192.0.2.1], labels: {LABEL: RULE}}}"},
        {"traefik": "{labels: {LABEL: RULE}}"},
        {"accessories": "{search: {image: search, host: 192.0.2.1, labels: {LABEL: RULE}}}"},
    ],
    ids=["all roles", "a role", "the proxy", "an accessory"],
)
def test_it_is_refused_wherever_it_stands_with_its_line_and_the_way_out(
    problems: Problems, keys: dict[str, str]
) -> None:
    label = "traefik.http.routers.shop-web.rule"
    written = {key: text.replace("LABEL", label).replace("RULE", "PathPrefix(/)") for key, text in keys.items()}
    found = problems(**written)
    assert f"{label}: what is in the brackets must be in backticks: `/`; {WAY_OUT}" in found
    assert found.split(":")[0].isdecimal()


def test_other_labels_and_empty_rules_are_left_alone(load: Load) -> None:
    load(labels="{team: PathPrefix(/), traefik.http.routers.x.rule: '', traefik.http.routers.x.priority: Host(a)}")


RULES = st.recursive(
    st.builds(
        "{}({})".format,
        st.sampled_from(["Host", "Path", "PathPrefix", "Header", "Method"]),
        st.lists(st.text("ab(){}!&|,. /", max_size=6).map("`{}`".format), min_size=1, max_size=3).map(", ".join),
    ),
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("!{}".format),
        st.builds("{} && {}".format, inner, inner),
        st.builds("{}||{}".format, inner, inner),
    ),
    max_leaves=6,
)


@given(RULES)
def test_no_rule_of_the_grammar_is_refused(rule: str) -> None:
    assert rule_problem(rule) == ""


@pytest.mark.parametrize("label", ["LABEL", "[a=b, LABEL]"])
@pytest.mark.parametrize("section", ["servers/web", "accessories/db", "traefik"])
def test_a_rule_among_the_options_is_read_too(problems: Problems, section: str, label: str) -> None:
    options = "options: {label: " + label.replace("LABEL", "'traefik.http.routers.x.rule=Host(a)'") + "}"
    keys = {
        "servers/web": {"servers": f"{{web: {{hosts: [192.0.2.1], {options}}}}}"},
        "accessories/db": {"accessories": f"{{db: {{image: i, host: 192.0.2.1, {options}}}}}"},
        "traefik": {"traefik": f"{{{options}}}"},
    }[section]
    place, _, message = problems(**keys).partition(": ")
    assert (place.partition(" ")[2], message) == (
        f"{section}/options/label",
        f"what is in the brackets must be in backticks: `a`; {WAY_OUT}",
    )
