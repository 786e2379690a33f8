"""What the proxies answered, as kp status and kp doctor show it."""

from __future__ import annotations

import pytest

from kamal_pyinfra.insight.doctor import Check, Verdict, check_routes
from kamal_pyinfra.insight.routed import Proof, Routed, parse_proof, parse_routes, what_serves

LINES = [
    "a greeting of the login shell",
    "kp-routes shop-web-v2 request",
    "kp-routes shop-api-v2 log",
    "kp-routes shop-admin-v2 no the proxy does not route to it (the answer is 404); the proxy's log: \x1b[31mtoo old",
    "kp-routes shop-old-v1 unproven no proxy runs here",
    "kp-routes shop-odd-v1 perhaps",
]


def test_the_last_line_is_made_of_what_the_gates_printed():
    printed = [
        ("web1", "shop-web-v2 request"),
        ("web2", "shop-web-v2 unproven no proxy \x1b[31mruns here"),
        ("web3", "shop-web-v2 log"),
        ("web4", "shop-web-v2 perhaps"),
    ]
    proofs = [proof for host, text in printed if (proof := parse_proof(host, text))]
    assert proofs == [
        Proof(host="web1", container="shop-web-v2", kind="request"),
        Proof(host="web2", container="shop-web-v2", kind="none", reason="no proxy runs here"),
        Proof(host="web3", container="shop-web-v2", kind="log"),
    ]
    assert what_serves("shop v2", ["http://web1/"], proofs[:1]) == "shop v2 serves at http://web1/"
    assert what_serves("shop v2", ["http://web1/"], proofs) == (
        "shop v2 runs; that the proxy routes to it was not proven on web2: no proxy runs here; "
        "no request was sent through the proxy on web3: only its log shows that it routes there"
    )


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
                way_out="fix what the proxy's log names; see docs/reference/troubleshooting.md",
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
    assert list(check_routes("web1", "29.0.1", "traefik:v3.5", {"shop-web-v2": routed})) == [check]
