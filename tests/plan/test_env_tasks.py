"""What `kp env push` and `kp env delete` change on a host."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.state.observed import ObservedFile
from kamal_pyinfra.plan.tasks import host as env_tasks
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, fresh, together

ENV = {"secret": ["TOP_SECRET"]}
WEB, PROXY = ".kamal/env/roles/shop-web.env", ".kamal/env/traefik/traefik.env"


def text(decide, config, *seen, **run) -> str:
    return render_text(task_plan(a_run(config, command="env", **run), {host.host: host for host in seen}, decide))


def test_a_fresh_host_gets_folders_and_files_without_docker(config: MakeConfig) -> None:
    assert text(env_tasks.push, config(env=ENV), replace(fresh(), docker=fresh().docker)) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          + directory .kamal, .kamal/locks, .kamal/env/roles, .kamal/env/traefik  not found
          + env file  .kamal/env/roles/shop-web.env                               not found
          + env file  .kamal/env/traefik/traefik.env                              not found

        Plan: 0 to replace, 3 to create, 0 to change, 0 to remove, 0 unchanged.
        """)


def test_only_the_file_that_differs_is_written(config: MakeConfig) -> None:
    own = config(env=ENV, servers={"web": [HOST], "job": [HOST]})
    seen = deployed(own)
    seen = replace(seen, files=seen.files | {WEB: ObservedFile(digest="0" * 64, mode="600")})
    assert text(env_tasks.push, own, seen) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          ~ env file  .kamal/env/roles/shop-web.env  secret TOP_SECRET added

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.
        """)
    assert text(env_tasks.push, own, deployed(own)) == "shop: nothing to change.\n"


def test_the_file_of_a_proxy_that_is_another_services_is_not_written_with_other_secrets(config: MakeConfig) -> None:
    blog = config(service="blog", image="acme/blog", traefik={"env": {"secret": ["OTHER_SECRET"]}})
    shop = config(traefik={"env": {"secret": ["TOP_SECRET"]}})
    with pytest.raises(PlanRefused, match="`traefik:` contradicts the running proxy of blog"):
        text(env_tasks.push, shop, together(deployed(shop), deployed(blog)))


def test_delete_takes_the_files_of_every_role_and_of_the_proxy(config: MakeConfig) -> None:
    own = config(servers={"web": [HOST], "job": [HOST]})
    assert text(env_tasks.delete, own, deployed(own)) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - env file  .kamal/env/roles/shop-web.env   asked for
          - env file  .kamal/env/roles/shop-job.env   asked for
          - env file  .kamal/env/traefik/traefik.env  asked for

        Plan: 0 to replace, 0 to create, 0 to change, 3 to remove, 0 unchanged.
        """)
    assert text(env_tasks.delete, own, fresh()) == "shop: nothing to change.\n"


def test_delete_for_one_role_takes_that_roles_file(config: MakeConfig) -> None:
    own = config(servers={"web": [HOST], "job": [HOST]})
    assert text(env_tasks.delete, own, deployed(own), roles=("job",)) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - env file  .kamal/env/roles/shop-job.env  asked for

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.
        """)


def test_the_file_of_a_shared_proxy_stays_and_the_plan_says_for_whom(config: MakeConfig) -> None:
    blog, shop = config(service="blog", image="acme/blog"), config()
    assert text(env_tasks.delete, shop, together(deployed(blog), deployed(shop))) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - env file  .kamal/env/roles/shop-web.env  asked for
          (.kamal/env/traefik/traefik.env stays: blog uses the proxy)

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.
        """)


def test_a_file_that_stays_is_named_also_when_nothing_goes(config: MakeConfig) -> None:
    blog, shop = config(service="blog", image="acme/blog"), config()
    seen = together(deployed(blog), deployed(shop))
    seen = replace(seen, files={PROXY: seen.files[PROXY]})
    assert text(env_tasks.delete, shop, seen) == (
        "shop: nothing to change.\n192.0.2.1: .kamal/env/traefik/traefik.env stays: blog uses the proxy\n"
    )
