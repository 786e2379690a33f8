"""A changed router beside the one that serves: the names that the new container's labels give, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamal_pyinfra.config import Config
from kamal_pyinfra.naming import SUFFIX_LABEL
from kamal_pyinfra.plan.changes import BootContainer, ReplaceContainer, RestartContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.proxy.router_names import (
    definitions,
    hiding_labels,
    names_beside,
    names_of,
    renamed,
    usual_labels,
)
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost
from tests.conftest import MakeConfig, a_run
from tests.plan.carry_out import carry_out
from tests.plan.hosts import HOST, altered, deployed, made_by_kamal, plan_of, stopped, together

ROUTER, SERVICE, RETRY = (
    "traefik.http.routers.shop-web",
    "traefik.http.services.shop-web.loadbalancer",
    "traefik.http.middlewares.shop-web-retry.retry",
)
DEFAULTS = {
    f"{SERVICE}.server.scheme": "http",
    f"{ROUTER}.rule": "PathPrefix(`/`)",
    f"{ROUTER}.priority": "2",
    f"{RETRY}.attempts": "5",
    f"{RETRY}.initialinterval": "500ms",
    f"{ROUTER}.middlewares": "shop-web-retry@docker",
}


def with_labels(config: MakeConfig, labels: Mapping[str, str], **sections: Any) -> Config:
    return config(servers={"web": {"hosts": [HOST], "labels": dict(labels)}}, **sections)


def booted(config: Config, seen: ObservedHost, version: str = "v2", **run: Any) -> dict[str, str]:
    """What the first container that gets started tells the proxy."""
    change = Comparison(desired_host(a_run(config, version, **run), HOST), seen).boots[0]
    return proxy_labels(dict(change.container.labels))


def proxy_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith("traefik.") or name == SUFFIX_LABEL}


def after(config: Config, seen: ObservedHost, version: str, run_id: str = "f" * 32) -> ObservedHost:
    """The host once a version was deployed."""
    desired = desired_host(a_run(config, version, run_id=run_id), HOST)
    *_, host = seen, *(host for _, host in carry_out(desired, seen, diff_host(Comparison(desired, seen))))
    return host


def test_a_container_whose_labels_are_those_of_what_serves_shares_its_names(config: MakeConfig) -> None:
    assert booted(config(), deployed(config())) == DEFAULTS
    assert booted(config(), made_by_kamal(deployed(config()))) == DEFAULTS


def test_a_changed_rule_gets_a_router_of_its_own_and_shares_the_rest(config: MakeConfig) -> None:
    changed = with_labels(config, {f"{ROUTER}.rule": "Host(`a.example.com`)"})
    labels = booted(changed, deployed(config()))
    suffix = labels[SUFFIX_LABEL]
    assert len(suffix) == 8
    assert labels == {
        f"{SERVICE}.server.scheme": "http",
        f"{ROUTER}-{suffix}.rule": "Host(`a.example.com`)",
        f"{ROUTER}-{suffix}.priority": "2",
        f"{RETRY}.attempts": "5",
        f"{RETRY}.initialinterval": "500ms",
        f"{ROUTER}-{suffix}.middlewares": "shop-web-retry@docker",
        SUFFIX_LABEL: suffix,
    }


def test_a_changed_service_takes_along_the_routers_that_lead_to_it(config: MakeConfig) -> None:
    changed = with_labels(config, {f"{SERVICE}.sticky.cookie": "true", f"{ROUTER}.service": "shop-web"})
    labels = booted(changed, deployed(config()))
    suffix = labels[SUFFIX_LABEL]
    assert labels == {
        f"traefik.http.services.shop-web-{suffix}.loadbalancer.server.scheme": "http",
        f"traefik.http.services.shop-web-{suffix}.loadbalancer.sticky.cookie": "true",
        f"{ROUTER}-{suffix}.rule": "PathPrefix(`/`)",
        f"{ROUTER}-{suffix}.priority": "2",
        f"{RETRY}.attempts": "5",
        f"{RETRY}.initialinterval": "500ms",
        f"{ROUTER}-{suffix}.middlewares": "shop-web-retry@docker",
        f"{ROUTER}-{suffix}.service": f"shop-web-{suffix}",
        SUFFIX_LABEL: suffix,
    }


def test_references_follow_a_changed_middleware_and_leave_those_of_others_alone(config: MakeConfig) -> None:
    chain = "traefik.http.middlewares.all.chain.middlewares"
    users = "traefik.http.middlewares.auth.basicauth.users"
    before = {users: "a:1", chain: "auth, shop-web-retry@docker", f"{ROUTER}.middlewares": "all,auth@file"}
    labels = booted(
        with_labels(config, before | {users: "b:2"}), deployed(with_labels(config, before | {users: "a:1"}))
    )
    suffix = labels[SUFFIX_LABEL]
    assert labels == {
        f"{SERVICE}.server.scheme": "http",
        f"{ROUTER}-{suffix}.rule": "PathPrefix(`/`)",
        f"{ROUTER}-{suffix}.priority": "2",
        f"{RETRY}.attempts": "5",
        f"{RETRY}.initialinterval": "500ms",
        f"{ROUTER}-{suffix}.middlewares": f"all-{suffix},auth@file",
        f"traefik.http.middlewares.auth-{suffix}.basicauth.users": "b:2",
        f"traefik.http.middlewares.all-{suffix}.chain.middlewares": f"auth-{suffix}, shop-web-retry@docker",
        SUFFIX_LABEL: suffix,
    }


@pytest.mark.parametrize(
    "labels",
    [
        {f"{ROUTER}.rule": "Host(`a.example.com`)"},
        {f"{ROUTER}.priority": "7"},
        {f"{ROUTER}.tls": "true"},
        {f"{ROUTER}.entrypoints": "http"},
        {f"{ROUTER}.middlewares": ""},
        {f"{RETRY}.attempts": "3"},
        {f"{SERVICE}.server.port": "3000"},
        {f"{SERVICE}.healthcheck.path": "/up"},
        {"traefik.http.routers.admin.rule": "Path(`/admin`)", "traefik.http.routers.admin.service": "shop-web"},
    ],
)
def test_the_usual_names_are_back_with_the_deploy_after_it(config: MakeConfig, labels: dict[str, str]) -> None:
    """Whatever changed: nothing is left to change, the digest is the usual one, and the next deploy has the names."""
    changed = with_labels(config, labels)
    host = after(changed, deployed(config()), "v2")
    assert diff_host(Comparison(desired_host(a_run(changed, "v2", run_id="e" * 32), HOST), host)) == ()
    assert host.container("shop-web-v2").digest == deployed(changed).containers[0].digest
    assert booted(changed, host, "v3") == DEFAULTS | labels
    host = after(changed, host, "v3", "a" * 32)
    assert SUFFIX_LABEL not in host.container("shop-web-v3").labels
    host = after(config(), host, "v4", "b" * 32)
    assert usual_labels(host.container("shop-web-v4").labels) == deployed(config()).containers[0].labels | {
        "kp.digest": host.container("shop-web-v4").digest
    }


def test_only_the_real_difference_of_a_renamed_container_is_planned(config: MakeConfig) -> None:
    changed = with_labels(config, {f"{ROUTER}.priority": "7"})
    host = after(changed, deployed(config()), "v2")
    again = with_labels(config, {f"{ROUTER}.priority": "8"})
    change = Comparison(desired_host(a_run(again, "v2", run_id="e" * 32), HOST), host).boots[0]
    assert isinstance(change, ReplaceContainer)
    assert change.cause == f"label {ROUTER}.priority: 7 → 8"
    kamals = made_by_kamal(host)
    assert Comparison(desired_host(a_run(changed, "v2", run_id="e" * 32), HOST), kamals).boots == ()


def test_an_explicit_service_of_the_same_name_is_no_other_router(config: MakeConfig) -> None:
    seen = deployed(config())
    labels = seen.containers[0].labels | {f"{ROUTER}.service": "shop-web"}
    assert booted(config(), altered(seen, "shop-web-v1", labels=labels)) == DEFAULTS


def test_a_retained_container_that_would_clash_is_not_started_again(config: MakeConfig) -> None:
    changed = with_labels(config, {f"{ROUTER}.priority": "7"})
    host = after(changed, after(changed, deployed(config()), "v2"), "v3", "a" * 32)
    (change,) = Comparison(desired_host(a_run(config(), "v1", command="rollback", run_id="b" * 32), HOST), host).boots
    assert isinstance(change, ReplaceContainer)
    assert change.cause == "is stopped, router shop-web changed since"
    assert SUFFIX_LABEL in dict(change.container.labels)


def test_a_retained_container_that_does_not_clash_is_started_again(config: MakeConfig) -> None:
    changed = with_labels(config, {f"{ROUTER}.priority": "7"})
    host = after(changed, deployed(config()), "v2")
    host = after(changed, host, "v3", "a" * 32)
    (change,) = Comparison(desired_host(a_run(changed, "v2", command="rollback", run_id="b" * 32), HOST), host).boots
    assert isinstance(change, RestartContainer)


def test_a_replica_joins_those_that_stay_under_their_names(config: MakeConfig) -> None:
    def times(number: int) -> Config:
        servers = {"web": {"hosts": [HOST], "labels": {f"{ROUTER}.priority": "7"}, "replicas": number}}
        return config(servers=servers)

    host = after(times(1), deployed(config()), "v2")
    suffix = host.container("shop-web-v2").labels[SUFFIX_LABEL]
    (change,) = Comparison(desired_host(a_run(times(2), "v2", run_id="e" * 32), HOST), host).boots
    assert (change.subject, dict(change.container.labels)[SUFFIX_LABEL]) == ("shop-web-v2_replica_2", suffix)
    host = after(times(2), host, "v2", "e" * 32)
    assert proxy_labels(host.container("shop-web-v2_replica_2").labels) == proxy_labels(
        host.container("shop-web-v2").labels
    )


def test_a_name_that_others_rely_on_is_kept_and_the_plan_says_what_that_means(config: MakeConfig) -> None:
    """Another role's router names this role's middleware: under another name it would be missed for good."""

    def with_users(users: str) -> Config:
        labels = {"traefik.http.middlewares.auth.basicauth.users": users}
        api = {"traefik.http.routers.shop-api.middlewares": "auth@docker"}
        api_role = {
            "hosts": [HOST],
            "traefik": True,
            "labels": api | {"traefik.http.routers.shop-api.rule": "Path(`/api`)"},
        }
        return config(servers={"web": {"hosts": [HOST], "labels": labels}, "api": api_role})

    text = plan_of(with_users("b:2"), deployed(with_users("a:1")))
    assert "version v1 → v2; interrupts traffic: middleware auth differs" in text


def test_a_neighbours_definition_of_a_name_counts_as_well(config: MakeConfig) -> None:
    auth = "traefik.http.middlewares.auth.basicauth.users"
    hidden = {"traefik.http.routers.blog-web.rule": "Host(`blog`)"}
    blog = with_labels(config, {auth: "x:9", **hidden}, service="blog", image="acme/blog")
    ours = with_labels(config, {auth: "a:1"})
    suffix = booted(ours, together(deployed(config()), deployed(blog)))[SUFFIX_LABEL]
    assert suffix in str(booted(ours, together(deployed(config()), deployed(blog))))
    hiding = altered(deployed(blog), "blog-web-v1", labels={auth: "x:9", "traefik.enable": "false"})
    assert SUFFIX_LABEL not in booted(ours, together(deployed(config()), hiding))


def test_what_is_about_the_whole_proxy_is_marked(config: MakeConfig) -> None:
    label = "traefik.tls.stores.default.defaultgeneratedcert.resolver"
    text = plan_of(with_labels(config, {label: "two"}), deployed(with_labels(config, {label: "one"})))
    assert f"interrupts traffic: label {label} differs" in text


NAMES = st.sampled_from(["shop-web", "auth", "all"])
VALUES = st.sampled_from(["1", "2", "auth@docker", "all,auth", "shop-web", "auth@file"])
LABELS = st.dictionaries(
    st.one_of(
        st.tuples(st.just("routers"), NAMES, st.sampled_from(["rule", "service", "middlewares", "entryPoints"])),
        st.tuples(st.just("services"), NAMES, st.sampled_from(["loadbalancer.server.port", "loadbalancer.sticky"])),
        st.tuples(st.just("middlewares"), NAMES, st.sampled_from(["chain.middlewares", "errors.service", "retry"])),
    ).map(lambda parts: f"traefik.http.{'.'.join(parts)}"),
    VALUES,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(before=st.lists(LABELS, min_size=1, max_size=4))
def test_whatever_ran_before_no_two_containers_define_a_name_differently(
    config: MakeConfig, before: list[dict[str, str]]
) -> None:
    """Each starts beside all that were started before it, and each one's labels can be told back."""
    model = desired_host(a_run(config(), "v1"), HOST).containers[0]
    ran = deployed(config()).containers[0]
    running: list[ObservedContainer] = []
    for number, labels in enumerate(before):
        new = replace(model, name=f"shop-web-v{number}", labels=tuple(labels.items()))
        names = names_beside(new, running)
        given_labels = renamed(labels, names)
        assert usual_labels(given_labels) == labels
        assert names_of(given_labels) in (names, replace(names, elements=names_of(given_labels).elements))
        for other in running:
            theirs = definitions(other.labels, other.name)
            own = definitions(given_labels, new.name)
            assert {each for each in own if each in theirs and own[each] != theirs[each]} == set()
        running.append(replace(ran, name=new.name, labels=given_labels))


def test_a_new_container_has_the_names_that_its_change_shows(config: MakeConfig) -> None:
    seen = stopped(deployed(config()))
    changed = with_labels(config, {f"{ROUTER}.priority": "7"})
    (change,) = Comparison(desired_host(a_run(changed, "v2"), HOST), seen).boots
    assert isinstance(change, BootContainer)
    assert proxy_labels(dict(change.container.labels)) == DEFAULTS | {f"{ROUTER}.priority": "7"}


def test_what_does_not_ask_for_the_proxy_is_hidden_from_it() -> None:
    """Own labels decide, also those among the options; what a file may say is not known."""
    assert hiding_labels((("service", "shop-db"),)) == (("traefik.enable", "false"),)
    assert hiding_labels((("service", "shop-db"),), (("label", ["team=a"]),)) == (("traefik.enable", "false"),)
    assert hiding_labels((("Traefik.http.routers.db.rule", "Host(`db`)"),)) == ()
    assert hiding_labels((("service", "shop-db"),), (("label", "traefik.enable=true"),)) == ()
    assert hiding_labels((("service", "shop-db"),), (("label-file", "labels"),)) == ()


def test_nothing_is_replaced_for_the_label_that_hides_it(config: MakeConfig) -> None:
    """A worker with it and one without are as configured, whoever made them; a routed role must not have it."""
    loaded = config(servers={"web": [HOST], "job": {"hosts": [HOST], "cmd": "work"}})
    seen = deployed(loaded)
    for host in (seen, made_by_kamal(seen)):
        labels = {**host.container("shop-job-v1").labels, "traefik.enable": "false"}
        hidden = altered(host, "shop-job-v1", labels=labels)
        assert [diff_host(Comparison(desired_host(a_run(loaded, "v1"), HOST), each)) for each in (host, hidden)] == [
            (),
            (),
        ]
    kamals = made_by_kamal(seen)
    labels = {**kamals.container("shop-web-v1").labels, "traefik.enable": "false"}
    (change,) = Comparison(desired_host(a_run(loaded, "v1"), HOST), altered(kamals, "shop-web-v1", labels=labels)).boots
    assert change.cause == "label traefik.enable: false → (not set)"
