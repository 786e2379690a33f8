"""HTTPS as the example has it, with certificates from a real ACME server (Debian's pebble) on a lab host."""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.project import CHECKOUT, Project, eventually, standard_config
from tests.lab.lab import Lab

NAME = "shop.example.com"
STORAGE = "/var/lib/docker/volumes/letsencrypt/_data/acme.json"
PEBBLE = {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/root/ca.pem",
    "privateKey": "/root/ca.key",
    "httpPort": 80,
    "tlsPort": 443,
    "certificateValidityPeriod": 157766400,
}


@pytest.fixture(scope="module")
def authority(empty_hosts: Lab) -> Iterator[str]:
    """An ACME server on `bare1` to which the name leads to `web1`; gives its address."""
    lab, address = empty_hosts, empty_hosts.hosts["bare1"]
    certificate = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=acme "
        f"-addext subjectAltName=IP:{address} -keyout ca.key -out ca.pem"
    )
    lab.recreate("bare1")
    lab.ssh(
        "bare1",
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pebble openssl > /dev/null && "
        f"{certificate} 2> /dev/null && echo {lab.hosts['web1']} {NAME} >> /etc/hosts && "
        f"echo {shlex.quote(json.dumps({'pebble': PEBBLE}))} > pebble.json",
        timeout=150,
    )
    quick = "PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0"
    lab.ssh("bare1", f"{quick} nohup pebble -config pebble.json > pebble.log 2>&1 < /dev/null &")
    eventually(lambda: is_open(address, 14000), seconds=30, what="the ACME server")
    yield address
    lab.recreate("bare1")


def is_open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def root_of(authority: str) -> str:
    """The certificate that everything which the ACME server signs goes back to."""
    connection = http.client.HTTPSConnection(authority, 15000, timeout=10, context=ssl._create_unverified_context())
    with closing(connection):
        connection.request("GET", "/roots/0")
        return connection.getresponse().read().decode()


def example_on_the_lab(lab: Lab, authority: str) -> dict[str, Any]:
    """The example as it is, with the lab's host, registry, proxy image and ACME server."""
    config: dict[str, Any] = yaml.safe_load((CHECKOUT / "examples/https/config/deploy.yml").read_text())
    standard = standard_config(lab)
    config["servers"]["web"]["hosts"] = [lab.hosts["web1"]]
    traefik = config["traefik"]
    traefik["image"] = standard["traefik"]["image"]
    traefik["options"]["volume"] = [traefik["options"]["volume"], "/root/acme-ca.pem:/acme-ca.pem:ro"]
    traefik["args"]["certificatesresolvers.letsencrypt.acme.caserver"] = f"https://{authority}:14000/dir"
    traefik["env"] = {"LEGO_CA_CERTIFICATES": "/acme-ca.pem"}
    return config | {key: standard[key] for key in ("image", "registry", "builder", "ssh", "env")}


def ask(lab: Lab, context: ssl.SSLContext | None = None) -> tuple[int, str, str]:
    """Ask for the version by name: status, body and the place that a redirect leads to."""
    address = lab.hosts["web1"]
    if context is None:
        connection = http.client.HTTPConnection(address, timeout=10)
    else:
        connection = http.client.HTTPSConnection(NAME, timeout=10, context=context)
        connection.sock = secured(lab, context)
    with closing(connection):
        connection.request("GET", "/version", headers={"Host": NAME})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip(), answer.headers.get("Location", "")


def secured(lab: Lab, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection to the proxy whose certificate was checked; closed if it does not hold."""
    raw = socket.create_connection((lab.hosts["web1"], 443), 10)
    try:
        return context.wrap_socket(raw, server_hostname=NAME)
    except OSError:
        raw.close()
        raise


def served(lab: Lab, context: ssl.SSLContext) -> str:
    """What is served to somebody who trusts the authority; the reason if nothing is."""
    try:
        return ask(lab, context)[1]
    except (OSError, http.client.HTTPException) as error:
        return str(error)


def serial(lab: Lab, context: ssl.SSLContext) -> str:
    with secured(lab, context) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def test_the_example_gets_a_certificate_keeps_it_and_redirects(
    empty_hosts: Lab, authority: str, tmp_path: Path
) -> None:
    """The proxy must get a certificate by itself, serve HTTPS only, and keep it for new versions and a new proxy."""
    lab = empty_hosts
    lab.ssh("web1", "cat > acme-ca.pem", input=lab.ssh("bare1", "cat ca.pem").stdout)
    context = ssl.create_default_context(cadata=root_of(authority))
    project = Project.create(lab, tmp_path)
    project.write(example_on_the_lab(lab, authority))
    project.kp("deploy", version="v1")
    eventually(lambda: served(lab, context) == "v1", seconds=60, what="a certificate")
    status, _, location = ask(lab)
    assert (status in (301, 302, 307, 308), location) == (True, f"https://{NAME}/version")
    assert lab.ssh("web1", f"stat -c %a {STORAGE}").stdout.strip() == "600"
    assert project.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    found = {check["message"] for check in json.loads(project.kp("doctor", "--json").stdout)}
    assert {"80 is published by the proxy", "443 is published by the proxy"} <= found

    first = serial(lab, context)
    project.change(lambda config: config["traefik"]["args"].update({"accesslog": True}))
    project.kp("deploy", version="v2")
    eventually(lambda: served(lab, context) == "v2", what="the new version")
    assert serial(lab, context) == first
