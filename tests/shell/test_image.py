from __future__ import annotations

import pytest

from kamal_pyinfra.shell import image
from tests.shell.fake_host import Answer

LABEL = 'image inspect --format {{index .Config.Labels "service"}} acme/shop:v2'
PULL = "pull acme/shop:v2"
TAG = "tag acme/shop:v2 acme/shop:v2"
LAYERS = "0123456789ab: Pulling fs layer\n0123456789ab: Pull complete\n"


def test_a_log_in_names_no_password():
    assert image.log_in("registry.example.com", "de ploy") == "log_in_to_registry registry.example.com -u 'de ploy'"
    assert image.log_in(None, "u") == "log_in_to_registry -u u"


def test_an_image_with_the_services_label_is_pulled(host):
    host.docker(PULL, LAYERS)
    host.docker(TAG)
    host.docker(LABEL, "shop")
    ran = host.run(image.pull("acme/shop:v2", "shop"))
    assert (ran.code, ran.out, ran.err) == (0, LAYERS, "")
    assert ran.calls == f"docker {PULL}\ndocker {LABEL}\ndocker {TAG}\n"


@pytest.mark.parametrize("label", ["", "other", "shop shop"])
def test_an_image_of_another_service_is_refused(host, label):
    host.docker(PULL, LAYERS)
    host.docker(LABEL, label)
    ran = host.run(image.pull("acme/shop:v2", "shop"))
    assert (ran.code, ran.out) == (1, LAYERS)
    assert ran.err == "Image acme/shop:v2 is missing the 'service' label: build it with --label service=shop\n"


def test_a_failed_pull_is_dockers_error(host):
    host.docker(PULL, Answer(err="manifest unknown", code=18))
    ran = host.run(image.pull("acme/shop:v2", "shop"))
    assert (ran.code, ran.err) == (18, "manifest unknown\n")
    assert ran.calls == f"docker {PULL}\n"


def test_the_commands_as_text():
    assert image.pull("acme/shop:v2", "shop") == (
        "docker pull acme/shop:v2 && require_label acme/shop:v2 shop && docker tag acme/shop:v2 acme/shop:v2"
    )
    assert image.tag("a:1", "a:latest") == "docker tag a:1 a:latest"
    assert image.remove(("a:1", "a:2")) == "docker rmi a:1 a:2 > /dev/null"
