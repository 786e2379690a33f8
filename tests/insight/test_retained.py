"""Which versions a rollback can go to."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.insight.status import Retained, retained_versions
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost, ObservedImage, Status
from tests.conftest import as_deployed
from tests.shell.builders import golden_config, new_run

CONFIG = """
service: shop
image: acme/shop
servers: [192.0.2.1, 192.0.2.2]
registry: {username: acme, password: [KAMAL_REGISTRY_PASSWORD]}
"""
HOSTS = ("192.0.2.1", "192.0.2.2")
OLD, NEW = "2026-05-01T10:00:00Z", "2026-05-02T10:00:00Z"


def seen(run: Run, host: str) -> ObservedHost:
    """v2 serves, v1 was there before."""
    new = as_deployed(desired_host(run, host))
    old = as_deployed(desired_host(replace(run, version="v1"), host))
    stopped = tuple(replace(each, status=Status.EXITED, created=OLD) for each in old.containers if each.role)
    serving = tuple(replace(each, created=NEW) for each in new.containers)
    return replace(new, containers=(*serving, *stopped), images=(*new.images, *old.images))


def test_a_version_that_left_a_container_and_its_image_is_offered_the_one_in_service_is_not() -> None:
    run = new_run(golden_config(CONFIG), "v2")
    assert retained_versions(run, {host: seen(run, host) for host in HOSTS}) == (
        Retained(version="v2", created=NEW, is_in_service=True),
        Retained(version="v1", created=OLD),
    )


def test_a_version_whose_image_is_gone_from_a_host_is_shown_and_not_offered() -> None:
    run = new_run(golden_config(CONFIG), "v2")
    observed = {host: seen(run, host) for host in HOSTS}

    def is_kept(image: ObservedImage) -> bool:
        return not image.reference.endswith(":v1")

    pruned = observed[HOSTS[1]]
    observed[HOSTS[1]] = replace(pruned, images=tuple(image for image in pruned.images if is_kept(image)))
    assert [(each.version, each.is_offered, each.missing) for each in retained_versions(run, observed)] == [
        ("v2", False, ()),
        ("v1", False, (HOSTS[1],)),
    ]
