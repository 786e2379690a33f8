from __future__ import annotations

from ipaddress import IPv4Network
from itertools import islice
from pathlib import Path

from tests.lab.names import HOSTS, Names, addresses, parse_routes, subnet_candidates

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
br-1\t0009D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_a_lab_is_named_after_the_path_of_its_checkout() -> None:
    assert Names(Path("/one")).lab == Names(Path("/one/../one")).lab
    assert Names(Path("/one")).lab != Names(Path("/two")).lab
    assert Names(Path("/one")).container("web1") == f"{Names(Path('/one')).lab}-web1"


def test_routes_are_read_without_the_default_route() -> None:
    assert parse_routes(ROUTES) == [IPv4Network("192.0.2.0/24"), IPv4Network("10.213.9.0/24")]


def test_subnets_begin_at_the_labs_own_and_wrap_around() -> None:
    found = [str(subnet) for subnet in islice(subnet_candidates(256 + 254, []), 3)]
    assert found == ["10.213.254.0/24", "10.213.255.0/24", "10.213.0.0/24"]


def test_a_subnet_that_is_routed_already_is_left_out() -> None:
    routed = [IPv4Network("10.213.9.0/24"), IPv4Network("10.213.10.0/23")]
    assert str(next(subnet_candidates(9, routed))) == "10.213.12.0/24"


def test_a_machine_that_routes_all_of_the_labs_networks_has_none_left() -> None:
    assert list(subnet_candidates(0, [IPv4Network("10.0.0.0/8")])) == []


def test_every_host_has_an_address_of_its_own() -> None:
    places = addresses(IPv4Network("10.213.9.0/24"))
    assert places["registry"] == "10.213.9.2"
    assert places["web1"] == "10.213.9.11"
    assert len(set(places.values())) == len(HOSTS) + 1
