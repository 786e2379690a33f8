"""What the proxies answered, as kp status and kp doctor show it."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.examined import Check, Verdict
from kamal_pyinfra.plan.routed import Routed, judge_routes, parse_routes

LINES = [
    "a greeting of the login shell",
    "kp-routes shop-web-v2 request",
    "kp-routes shop-api-v2 log",
    "kp-routes shop-admin-v2 no the proxy does not route to it (the answer is 404); the proxy's log: \x1b[31mtoo old",
    "kp-routes shop-old-v1 unproven no proxy runs here",
    "kp-routes shop-odd-v1 perhaps",
]


def test_lines_without_the_mark_and_unknown_answers_are_noise():
    found = parse_routes(LINES, "kp-routes ")
    assert {name: each.text for name, each in found.items()} == {
        "shop-web-v2": "yes",
        "shop-api-v2": "yes",
        "shop-admin-v2": "no: the proxy does not route to it (the answer is 404); the proxy's log: too old",
        "shop-old-v1": "not known: no proxy runs here",
    }


@pytest.mark.parametrize(
    ("routed", "check"),
    [
        (
            Routed(answer="yes"),
            Check(host="web1", name="proxy", verdict=Verdict.OK, message="routes to shop-web-v2"),
        ),
        (
            Routed(answer="no", reason="client version 1.24 is too old"),
            Check(
                host="web1",
                name="proxy",
                verdict=Verdict.FAIL,
                message="shop-web-v2 is not served (Docker 29.0.1 and traefik:v3.5): client version 1.24 is too old",
                way_out="mend what the proxy's log names; see docs/reference/troubleshooting.md",
            ),
        ),
        (
            Routed(answer="not known", reason="no proxy runs here"),
            Check(
                host="web1",
                name="proxy",
                verdict=Verdict.WARN,
                message="whether it routes to shop-web-v2 is not known: no proxy runs here",
            ),
        ),
    ],
)
def test_doctor_names_the_pair_of_engine_and_proxy(routed, check):
    assert judge_routes("web1", "29.0.1", "traefik:v3.5", {"shop-web-v2": routed}) == (check,)
