"""The labels by which the proxy can be asked whether it routes to a container, and where it is asked."""

from __future__ import annotations

import re

import pytest

from kamal_pyinfra.plan.compare.fields import label_differences
from kamal_pyinfra.plan.proxy.gate import Door, gate_labels, gate_of, observed_gate, without_gate
from kamal_pyinfra.plan.proxy.traefik import proxy_labels, routes_of
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, Status
from tests.shell import builders

OWN = {"service": "shop", "role": "web", **proxy_labels("shop-web")}
TWO = ["--providers.docker", "--entryPoints.web.address=:80", "--entrypoints.websecure.address=:443/tcp"]


def container(labels=OWN, **fields):
    return builders.app_container(labels=tuple(labels.items()), **fields)


def spelled(labels):
    """The labels with fixed secrets in place of the run's."""
    found = dict(labels)
    ask = next(re.search(r"kp-gate-([0-9a-f]{32})", name)[1] for name in found if "kp-gate-" in name)
    answer = next(value for name, value in found.items() if name.endswith("X-Kp-Gate"))
    return {
        name.replace(ask, "ASK"): value.replace(ask, "ASK").replace(answer, "ANSWER") for name, value in found.items()
    }


def test_the_labels_as_they_are():
    assert spelled(gate_labels(container())) == {
        "traefik.http.routers.shop-web.service": "shop-web",
        "traefik.http.routers.kp-gate-ASK.rule": "Path(`/kp-gate-ASK`)",
        "traefik.http.routers.kp-gate-ASK.priority": "1000000000",
        "traefik.http.routers.kp-gate-ASK.service": "kp-gate-ASK",
        "traefik.http.routers.kp-gate-ASK.middlewares": "kp-gate-ASK-seen,kp-gate-ASK-path",
        "traefik.http.middlewares.kp-gate-ASK-seen.headers.customresponseheaders.X-Kp-Gate": "ANSWER",
        "traefik.http.middlewares.kp-gate-ASK-path.replacepath.path": "/up",
        "traefik.http.services.kp-gate-ASK.loadbalancer.server.scheme": "http",
        "traefik.http.routers.kp-gate-ASK-a.rule": (
            "Path(`/kp-gate-ASK-a`) || (Path(`/kp-gate-ASK-a`) && (PathPrefix(`/`)))"
        ),
        "traefik.http.routers.kp-gate-ASK-a.priority": "1000000000",
        "traefik.http.routers.kp-gate-ASK-a.service": "kp-gate-ASK",
        "traefik.http.routers.kp-gate-ASK-a.middlewares": "kp-gate-ASK-seen,kp-gate-ASK-path,shop-web-retry@docker",
    }


def twins(labels):
    """What the twins of the routers are, without what they have in common."""
    found = spelled(gate_labels(container(labels)))
    own = {
        name.partition(".kp-gate-ASK-")[2]: value for name, value in found.items() if ".routers.kp-gate-ASK-" in name
    }
    return {name: value for name, value in own.items() if name.partition(".")[2] not in ("priority", "middlewares")}


def test_each_router_at_the_entrance_of_the_first_has_a_twin_that_is_refused_where_it_is():
    secure = {"entrypoints": "websecure", "tls.options": "strict@file", "tls.certresolver": "letsencrypt"}
    labels = OWN | {f"traefik.http.routers.shop-web.{field}": value for field, value in secure.items()}
    labels |= {f"traefik.http.routers.admin.{field}": value for field, value in secure.items()}
    labels |= {
        "traefik.http.routers.admin.rule": "Host(`a.b`) || Path(`/x`)",
        "traefik.http.routers.admin.service": "api@internal",
    }
    labels |= {"traefik.http.routers.admin.ruleSyntax": "v2"}
    labels |= {"traefik.http.routers.plain.rule": "PathPrefix(`/`)", "traefik.http.routers.plain.entrypoints": "web"}
    rule = "Path(`/kp-gate-ASK-{0}`) || (Path(`/kp-gate-ASK-{0}`) && ({1}))".format
    entrance = {"entrypoints": "websecure", "tls": "true", "tls.options": "strict@file"}
    assert twins(labels) == {
        "a.rule": rule("a", "PathPrefix(`/`)"),
        "a.service": "kp-gate-ASK",
        **{f"a.{field}": value for field, value in entrance.items()},
        "b.rule": rule("b", "Host(`a.b`) || Path(`/x`)"),
        "b.service": "api@internal",
        "b.rulesyntax": "v2",
        **{f"b.{field}": value for field, value in entrance.items()},
    }


def test_routers_at_another_entrance_are_known_to_be_unasked():
    labels = OWN | {"traefik.http.routers.plain.rule": "PathPrefix(`/`)", "traefik.http.routers.plain.tls": "true"}
    labels |= {"traefik.http.routers.same.rule": "Path(`/`)", "traefik.http.routers.door.entrypoints": "web"}
    assert gate_of(container(labels), TWO).unasked == ("plain",)
    assert gate_of(container(), TWO).unasked == ()
    assert observed_gate("shop-web-v1", labels, TWO).unasked == ()


def test_a_router_that_traefik_cannot_link_to_one_of_two_services_has_a_twin_that_it_cannot_link_either():
    labels = OWN | {"traefik.http.services.other.loadbalancer.server.port": "3000"}
    assert [name for name in twins(labels) if name.endswith(".service")] == []


def test_twins_are_known_again_and_those_of_another_question_are_not():
    labels = {**OWN, **dict(gate_labels(container())), f"traefik.http.routers.kp-gate-{'0' * 32}-a.rule": "Path(`/`)"}
    gate = observed_gate("shop-web-v2", labels, TWO)
    assert gate.twins == (f"{gate.ask}-a",)


CHECK = "traefik.http.services.shop-web.loadbalancer.healthcheck."


@pytest.mark.parametrize(
    ("check", "asked", "path"),
    [
        ({}, "", "/up"),
        ({"path": "/ready"}, "ok:/ready", "/ready"),
        ({"path": "/ready", "interval": "5s", "timeout": "1s", "status": "204"}, "204:/ready", "/ready"),
        ({"path": "/ready", "port": "8080"}, "", "/up"),
        ({"path": "/ready", "headers.X-Token": "1"}, "", "/up"),
        ({"path": "/ready?deep=1"}, "", "/up"),
        ({"path": "/$(reboot)"}, "", "/up"),
        ({"path": "/ready", "status": "2*"}, "", "/up"),
    ],
)
def test_the_proxys_own_health_check_is_what_the_app_is_asked(check, asked, path):
    own = container(OWN | {f"{CHECK}{field}": value for field, value in check.items()})
    found = spelled(gate_labels(own))
    assert gate_of(own, TWO).check == asked
    assert found["traefik.http.middlewares.kp-gate-ASK-path.replacepath.path"] == path
    # As Traefik does it: by the container's address.
    host = found.get("traefik.http.services.kp-gate-ASK.loadbalancer.passhostheader")
    assert host == ("false" if asked else None)


def test_entry_points_tls_and_the_way_to_the_container_are_those_of_its_own_router():
    labels = OWN | {
        "traefik.http.routers.shop-web.entrypoints": "websecure",
        "traefik.http.routers.shop-web.tls.certresolver": "letsencrypt",
        "traefik.http.routers.shop-web.middlewares": "auth@file",
        "traefik.http.services.shop-web.loadbalancer.server.port": "8080",
        "traefik.http.services.shop-web.loadbalancer.sticky.cookie": "true",
    }
    found = spelled(gate_labels(container(labels)))
    assert {name: value for name, value in found.items() if ".kp-gate-ASK." in name and ".rule" not in name} == {
        "traefik.http.routers.kp-gate-ASK.priority": "1000000000",
        "traefik.http.routers.kp-gate-ASK.service": "kp-gate-ASK",
        "traefik.http.routers.kp-gate-ASK.entrypoints": "websecure",
        "traefik.http.routers.kp-gate-ASK.tls": "true",
        "traefik.http.routers.kp-gate-ASK.middlewares": "kp-gate-ASK-seen,kp-gate-ASK-path",
        "traefik.http.services.kp-gate-ASK.loadbalancer.server.scheme": "http",
        "traefik.http.services.kp-gate-ASK.loadbalancer.server.port": "8080",
    }


def test_a_router_of_another_name_names_the_service_that_traefik_would_take():
    labels = {name.replace("routers.shop-web.", "routers.shop-web-4f2a."): value for name, value in OWN.items()}
    labels["traefik.http.routers.api.rule"] = "PathPrefix(`/api`)"
    found = dict(gate_labels(container(labels)))
    assert found["traefik.http.routers.shop-web-4f2a.service"] == "shop-web"
    assert found["traefik.http.routers.api.service"] == "shop-web"


def test_a_router_that_names_its_service_keeps_it():
    labels = OWN | {"traefik.http.routers.shop-web.service": "shop-web@docker"}
    assert "traefik.http.routers.shop-web.service" not in dict(gate_labels(container(labels)))


@pytest.mark.parametrize(
    "fields",
    [{"labels": {"service": "shop", "role": "job"}}, {"options": (("label-file", "labels.txt"),)}],
    ids=["no router", "labels that only the host knows"],
)
def test_what_has_no_router_of_its_own_or_unknown_ones_is_not_asked_about(fields):
    assert gate_labels(container(**fields)) == ()


def test_each_run_and_each_replica_asks_another_question():
    asked = {
        gate_of(container(hostname=hostname, name=name), ()).ask
        for hostname in ("web-0123", "web-4567")
        for name in ("shop-web-v2", "shop-web-v2_replica_2")
    }
    assert len(asked) == 4


def test_what_is_asked_is_known_again_from_the_labels_of_the_container():
    gate = gate_of(container(), TWO)
    assert observed_gate("shop-web-v2", {**OWN, **dict(gate_labels(container()))}, TWO) == gate
    assert (gate.routers, gate.rules, len(gate.ask), len(gate.answer)) == (("shop-web",), ("PathPrefix(`/`)",), 32, 32)


def test_a_container_of_kamals_has_no_question():
    gate = observed_gate("shop-web-v1", OWN, TWO)
    assert (gate.ask, gate.answer, gate.doors, gate.rules) == ("", "", (), ("PathPrefix(`/`)",))


@pytest.mark.parametrize("name", ["kp-gate-$(reboot)", "kp-gate-" + "a" * 31, "kp-gate-A" + "a" * 31])
def test_a_question_that_is_not_of_our_making_is_not_asked(name):
    assert observed_gate("evil", OWN | {f"traefik.http.routers.{name}.rule": "Path(`/`)"}, TWO).ask == ""


@pytest.mark.parametrize(
    ("command", "labels", "doors"),
    [
        (["--providers.docker"], {}, [Door(port=80, scheme="http")]),
        (TWO, {}, [Door(port=80, scheme="http"), Door(port=443, scheme="http")]),
        (TWO, {"entrypoints": "web"}, [Door(port=80, scheme="http")]),
        (TWO, {"entrypoints": "websecure", "tls": "true"}, [Door(port=443, scheme="https")]),
        (TWO, {"entrypoints": "nope"}, [Door(port=80, scheme="http"), Door(port=443, scheme="http")]),
        (
            [*TWO, "--entrypoints.websecure.http.tls=true"],
            {"entrypoints": "websecure"},
            [Door(port=443, scheme="https")],
        ),
        (
            [*TWO, "--entrypoints.web.http.redirections.entrypoint.to=websecure"],
            {"tls.certresolver": "letsencrypt"},
            [Door(port=443, scheme="https"), Door(port=80, scheme="https", is_guarded=True)],
        ),
        (["--entrypoints.a.address=127.0.0.1:80"], {}, [Door(port=80, scheme="http", address="127.0.0.1")]),
        (["--entrypoints.a.address=[fd00::1]:80"], {}, [Door(port=80, scheme="http", address="[fd00::1]")]),
        (["--entrypoints.a.address=0.0.0.0:80"], {}, [Door(port=80, scheme="http")]),
        (["--entrypoints.a.address=[::]:80"], {}, [Door(port=80, scheme="http")]),
        (["--entrypoints.a.address=$(reboot):80"], {}, [Door(port=80, scheme="http")]),
        (["--entrypoints.web.address=$(reboot)", "--entrypoints.dns.address=:53/udp"], {}, []),
    ],
)
def test_it_is_asked_where_the_proxy_listens(command, labels, doors):
    own = OWN | {f"traefik.http.routers.shop-web.{field}": value for field, value in labels.items()}
    assert list(gate_of(container(own), command).doors) == doors


def test_a_name_of_the_rule_is_asked_for():
    labels = OWN | {
        "traefik.http.routers.shop-web.rule": "Host(`shop.example.com`, `b.example.com`) && PathPrefix(`/`)"
    }
    assert gate_of(container(labels), ()).server_name == "shop.example.com"
    assert gate_of(container(), ()).server_name == ""


def test_the_labels_of_the_question_are_no_difference():
    labels = {**OWN, **dict(gate_labels(container()))}
    observed = ObservedContainer(
        **{"id": "1", "name": "shop-web-v2", "image": "shop:v2", "image_id": "i", "created": "", "health": None},
        **{"restarts": 0, "env": {}, "mounts": {}, "command": (), "ports": {}, "health_command": None},
        status=Status.RUNNING,
        labels=labels,
    )
    assert list(label_differences(tuple(OWN.items()), (), observed, ImageDefaults())) == []
    assert without_gate(labels) == OWN
    extra = OWN | {"traefik.http.routers.shop-web.service": "other"}
    assert without_gate({**labels, **extra}) == extra


def test_no_two_questions_claim_one_route():
    first, second = (dict(gate_labels(container(hostname=name))) for name in ("web-0123", "web-4567"))
    assert not routes_of(first) & routes_of(second)
