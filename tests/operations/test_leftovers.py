"""What goes, goes by its name, once, with an audit line after it."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.operations.apply import applied
from kamal_pyinfra.plan.state.observed import ObservedImage
from kamal_pyinfra.shell.script import guarded
from tests.operations.conftest import HOSTS, PRIMARY, deployed, retired, step
from tests.operations.fleet import changed, failed

AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] {}' >> .kamal/shop-audit.log"
CORD = ".kamal/cords/shop-web-ffffffffffffffffffffffffffffffff"
ASSETS = " ".join(f".kamal/assets/{kind}/shop-web-v1" for kind in ("extracted", "volumes"))


def crowded(run, host):
    """v2 serves, v1 is stopped, of v0 there are a container and an image, and one image lost its tag."""
    seen = retired(run, host)
    old = next(each for each in seen.containers if each.version == "v1" and each.role == "web")
    older = replace(old, id="0", name="shop-web-v0", created="2025-01-01T00:00:00Z", image="acme/shop:v0")
    images = (ObservedImage(reference="acme/shop:v0", id="0"), ObservedImage(reference="acme/shop:<none>", id="9"))
    return replace(seen, containers=(*seen.containers, older), images=(*seen.images, *images))


def test_everything_that_is_pruned_goes_in_one_command(fleet, run):
    hosts = fleet(crowded)
    command = guarded(
        f"docker rm shop-web-v0 > /dev/null && {AUDIT.format('Pruned containers')} && "
        "docker rmi acme/shop:v0 > /dev/null && "
        "docker image prune --force --filter label=service=shop > /dev/null && "
        f"{AUDIT.format('Pruned images')} && rm -rf {CORD} {ASSETS}",
        seconds=300,
    )
    for name in HOSTS:
        hosts.servers[name].knows(command, then=deployed(run, name))
    assert changed(hosts.does(applied, **step("prune all", retain=1))) == list(HOSTS)
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2
    assert changed(hosts.does(applied, **step("prune all", retain=1))) == []


def test_images_alone_are_pruned_without_a_word_about_containers(fleet, run):
    hosts = fleet(crowded)
    command = guarded(
        f"docker image prune --force --filter label=service=shop > /dev/null && {AUDIT.format('Pruned images')}",
        seconds=300,
    )
    for name in HOSTS:
        hosts.servers[name].knows(command)
    hosts.does(applied, **step("prune images"))
    assert [hosts.commands(name) for name in HOSTS] == [[command]] * 2


def test_a_host_that_cannot_remove_fails_and_the_other_is_pruned(fleet, run):
    hosts = fleet(crowded)
    command = guarded(
        f"docker rm shop-web-v0 > /dev/null && {AUDIT.format('Pruned containers')} && rm -rf {CORD} {ASSETS}",
        seconds=300,
    )
    hosts.servers[PRIMARY].knows(command, err=["Error response from daemon: busy"], is_success=False)
    hosts.servers[HOSTS[1]].knows(command)
    state = hosts.does(applied, **step("prune containers", retain=1))
    assert (failed(state), changed(state)) == ([PRIMARY], [HOSTS[1]])
