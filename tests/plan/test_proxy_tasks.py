"""What each command of `kp traefik` changes, and when it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.state.observed import Docker, Status
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import altered, deployed, fresh, made_by_kamal, stopped, together, without

NOTHING = "shop: nothing to change.\n"


def text(decide: Callable, config, seen, **run) -> str:
    return render_text(task_plan(a_run(config, "unknown", command="traefik", **run), {seen.host: seen}, decide))


def changes(*lines: str, summary: str) -> str:
    return "\n".join(["Plan for shop", "", "web: 192.0.2.1", *(f"  {line}" for line in lines), "", summary, ""])


def test_boot_prepares_and_runs_a_proxy_and_touches_no_secret_of_the_app(config: MakeConfig) -> None:
    own = config(env={"secret": ["TOP_SECRET"]})
    assert text(proxy_tasks.boot, own, fresh()) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          + env file  .kamal/env/traefik/traefik.env  not found
          + proxy     traefik                         not found

        Plan: 0 to replace, 2 to create, 0 to change, 0 to remove, 0 unchanged.
        """)
    assert text(proxy_tasks.boot, own, deployed(own)) == NOTHING


def test_a_reboot_replaces_what_is_the_same_already(config: MakeConfig) -> None:
    assert text(proxy_tasks.reboot, config(), deployed(config())) == changes(
        "± proxy     traefik  asked for; interrupts traffic",
        summary="Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 0 unchanged.",
    )


def test_a_reboot_runs_a_proxy_that_is_not_there(config: MakeConfig) -> None:
    assert text(proxy_tasks.reboot, config(), without(deployed(config()), "traefik")) == changes(
        "+ proxy     traefik  not found",
        summary="Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 0 unchanged.",
    )


@pytest.mark.parametrize("decide", [proxy_tasks.reboot, proxy_tasks.restart, proxy_tasks.stop])
def test_what_interrupts_others_names_them_if_they_run(config: MakeConfig, decide: Callable) -> None:
    blog = config(service="blog", image="acme/blog")
    both = together(deployed(blog), deployed(config()))
    assert "\n  (also interrupts blog)\n" in text(decide, config(), both)
    assert "interrupts blog" not in text(decide, config(), stopped(both, "blog-web-v1"))


@pytest.mark.parametrize("decide", [proxy_tasks.boot, proxy_tasks.reboot])
def test_the_proxy_of_another_service_does_not_get_other_settings(config: MakeConfig, decide: Callable) -> None:
    blog = config(service="blog", image="acme/blog", traefik={"args": {"ping": True}})
    with pytest.raises(PlanRefused, match="contradicts the running proxy of blog"):
        text(decide, config(), together(deployed(config()), deployed(blog)))


def test_start_and_stop_say_what_differs(config: MakeConfig) -> None:
    runs = deployed(config())
    exited = altered(runs, "traefik", status=Status.EXITED)
    assert text(proxy_tasks.start, config(), runs) == NOTHING
    assert text(proxy_tasks.start, config(), exited) == changes(
        "~ proxy     traefik  is exited",
        summary="Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.",
    )
    assert text(proxy_tasks.stop, config(), exited) == NOTHING
    assert text(proxy_tasks.stop, config(), fresh()) == NOTHING
    assert text(proxy_tasks.stop, config(), runs) == changes(
        "~ proxy     traefik  stops; nothing is served",
        summary="Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.",
    )
    assert text(proxy_tasks.restart, config(), exited) == changes(
        "~ proxy     traefik  restarts; interrupts traffic",
        summary="Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.",
    )


@pytest.mark.parametrize("decide", [proxy_tasks.start, proxy_tasks.restart])
def test_without_a_proxy_the_way_to_one_is_named(config: MakeConfig, decide: Callable) -> None:
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.1: there is no proxy; run `kp traefik boot`"):
        text(decide, config(), fresh())


def test_remove_takes_container_image_and_secrets_also_of_a_proxy_that_kamal_started(config: MakeConfig) -> None:
    seen = altered(made_by_kamal(deployed(config())), "traefik", image="traefik:v2.10")
    assert text(proxy_tasks.remove, config(), seen) == changes(
        "- proxy     traefik                         asked for",
        "- image     traefik:v2.10                   no container uses it",
        "- image     traefik:v2.11                   no container uses it",
        "- env file  .kamal/env/traefik/traefik.env  asked for",
        summary="Plan: 0 to replace, 0 to create, 0 to change, 4 to remove, 0 unchanged.",
    )
    assert text(proxy_tasks.remove, config(), fresh()) == NOTHING


@pytest.mark.parametrize("change", [lambda host: host, lambda host: stopped(host, "blog-web-v1")])
def test_a_proxy_that_another_service_uses_or_used_is_not_removed(config: MakeConfig, change: Callable) -> None:
    blog = config(service="blog", image="acme/blog")
    seen = change(together(deployed(blog), deployed(config())))
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.1: the proxy stays, blog uses it"):
        text(proxy_tasks.remove, config(), seen)


def test_another_destination_keeps_the_proxy_and_a_worker_does_not(config: MakeConfig) -> None:
    staging = config(destination="staging")
    with pytest.raises(PlanRefused, match="shop-staging uses it"):
        text(proxy_tasks.remove, config(), together(deployed(staging), deployed(config())))
    worker = config(service="mail", image="acme/mail", servers={"web": ["192.0.2.2"], "job": ["192.0.2.1"]})
    assert "- proxy" in text(proxy_tasks.remove, config(), together(deployed(worker), deployed(config())))


@pytest.mark.parametrize(("value", "is_removed"), [("false", True), ("true", False)])
def test_a_container_that_is_hidden_from_the_proxy_does_not_use_it(
    config: MakeConfig, value: str, is_removed: bool
) -> None:
    observed = deployed(config())
    web = next(each for each in observed.containers if each.name == "shop-web-v1")
    database = replace(web, name="shop-db", labels={"service": "shop-db", "traefik.enable": value})
    observed = replace(observed, containers=(*observed.containers, database))
    if is_removed:
        assert "- proxy" in text(proxy_tasks.remove, config(), observed)
    else:
        with pytest.raises(PlanRefused, match="the proxy stays, shop-db uses it"):
            text(proxy_tasks.remove, config(), observed)


@pytest.mark.parametrize(
    "decide", [proxy_tasks.boot, proxy_tasks.reboot, proxy_tasks.start, proxy_tasks.stop, proxy_tasks.remove]
)
def test_nothing_is_decided_where_docker_is_silent(config: MakeConfig, decide: Callable) -> None:
    with pytest.raises(PlanRefused, match=r"docker does not answer\. Cannot connect"):
        text(decide, config(), replace(fresh(), docker=Docker(installed=True, error="Cannot connect")))
