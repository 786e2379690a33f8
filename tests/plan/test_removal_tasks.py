"""What `kp remove` takes, and what it leaves to others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.state.observed import Docker, ObservedFile, ObservedImage
from kamal_pyinfra.plan.tasks import remove as removal_tasks
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, fresh, stopped, together, without

LOG = {".kamal/shop-audit.log": ObservedFile(digest="-", mode="-")}


def text(config, seen, *, purges: bool = False, **run) -> str:
    decide = partial(removal_tasks.remove, purges=purges)
    return render_text(task_plan(a_run(config, "unknown", command="remove", **run), {seen.host: seen}, decide))


def test_everything_of_the_service_goes_and_what_stays_is_named(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": [HOST]}, asset_path="/assets")
    seen = together(stopped(deployed(two, "v1")), deployed(two, "v2"))
    lost = ObservedImage(reference="acme/shop:<none>", id="sha256:9")
    seen = replace(seen, files=seen.files | LOG, images=(*seen.images, lost))
    assert text(two, seen) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - container shop-web-v2                                             the service is removed
          - container shop-job-v2                                             the service is removed
          - container shop-web-v1                                             the service is removed
          - container shop-job-v1                                             the service is removed
          - image     acme/shop:latest                                        no container uses it
          - image     acme/shop:v1                                            no container uses it
          - image     acme/shop:v2                                            no container uses it
          - image     acme/shop:<none>                                        1 lost the tag
          - env file  .kamal/env/roles/shop-web.env                           the service is removed
          - env file  .kamal/env/roles/shop-job.env                           the service is removed
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it
          - directory .kamal/assets/extracted/shop-web-v1                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v2                     its version is not in service
          - directory .kamal/assets/volumes/shop-web-v1                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v2                       its version is not in service
          - proxy     traefik                                                 no service uses it
          - image     traefik:v2.11                                           no container uses it
          - env file  .kamal/env/traefik/traefik.env                          no service uses it
          - registry  Docker Hub                                              the service is removed
          (.kamal/shop-audit.log stays; --purge removes it)

        Plan: 0 to replace, 0 to create, 0 to change, 20 to remove, 0 unchanged.
        """)


def test_a_neighbour_keeps_the_proxy_its_secrets_and_the_login(config: MakeConfig) -> None:
    blog = config(service="blog", image="acme/blog")
    seen = replace(together(deployed(blog), deployed(config())), cords={})
    assert text(config(), seen) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - container shop-web-v1                    the service is removed
          - image     acme/shop:latest               no container uses it
          - image     acme/shop:v1                   no container uses it
          - env file  .kamal/env/roles/shop-web.env  the service is removed
          (the proxy stays: blog uses it)
          (the login to the registry stays: blog uses it)

        Plan: 0 to replace, 0 to create, 0 to change, 4 to remove, 0 unchanged.
        """)


def test_another_destination_keeps_the_image_that_it_runs(config: MakeConfig) -> None:
    staging = config(destination="staging")
    seen = replace(together(deployed(staging), deployed(config())), cords={})
    assert text(config(), seen) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - container shop-web-v1                    the service is removed
          - image     acme/shop:latest               no container uses it
          - env file  .kamal/env/roles/shop-web.env  the service is removed
          (the proxy stays: shop-staging uses it)
          (the login to the registry stays: shop-staging uses it)

        Plan: 0 to replace, 0 to create, 0 to change, 3 to remove, 0 unchanged.
        """)


def test_a_neighbour_on_another_registry_does_not_keep_the_login(config: MakeConfig) -> None:
    registry = {"server": "r.example.com:5000", "username": "acme", "password": ["REGISTRY_PASSWORD"]}
    blog = config(service="blog", image="acme/blog", registry=registry)
    assert "- registry  Docker Hub" in text(config(), together(deployed(blog), deployed(config())))


def test_a_role_alone_leaves_the_rest_as_it_is(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": [HOST]})
    assert text(two, deployed(two), roles=("job",)) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - container shop-job-v1                    the service is removed
          - image     acme/shop:latest               no container uses it
          - env file  .kamal/env/roles/shop-job.env  the service is removed
          (the proxy stays: shop uses it)
          (the login to the registry stays: shop uses it)

        Plan: 0 to replace, 0 to create, 0 to change, 3 to remove, 0 unchanged.
        """)


def test_purge_takes_the_audit_log_too(config: MakeConfig) -> None:
    left = replace(fresh(), files=LOG)
    assert text(config(), left) == (
        "shop: nothing to change.\n192.0.2.1: .kamal/shop-audit.log stays; --purge removes it\n"
    )
    assert text(config(), left, purges=True) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - file      .kamal/shop-audit.log  purge

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.
        """)
    assert text(config(), fresh(), purges=True) == "shop: nothing to change.\n"


def test_the_proxy_of_a_host_without_routed_role_is_not_ours_to_remove(config: MakeConfig) -> None:
    blog = config(service="blog", image="acme/blog")
    worker = config(servers={"web": ["192.0.2.2"], "job": [HOST]})
    seen = together(deployed(blog), deployed(worker))
    assert "proxy" not in text(worker, seen)
    assert "proxy" not in text(worker, without(seen, "blog-web-v1"))


def test_nothing_is_decided_where_docker_is_silent(config: MakeConfig) -> None:
    with pytest.raises(PlanRefused, match=r"docker does not answer\. Cannot connect"):
        text(config(), replace(fresh(), docker=Docker(installed=True, error="Cannot connect")))
