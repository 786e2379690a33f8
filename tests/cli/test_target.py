"""`--hosts`, `--roles` and `--primary` select as in Kamal 1.9."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.run import expand_braces, select

DEPLOY = """
service: shop
image: shop
servers:
  web: [web1.example, web2.example]
  job: [web2.example, job1.example]
registry: {username: u, password: [PW]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    path = tmp_path / "deploy.yml"
    path.write_text(DEPLOY)
    return load_config(path, environ={"PW": "x"})


@pytest.mark.parametrize(
    ("hosts", "roles", "primary", "expected_hosts", "expected_roles"),
    [
        ((), (), False, ("web1.example", "web2.example", "job1.example"), ()),
        (("web*",), (), False, ("web1.example", "web2.example"), ()),
        (("web[2]*",), (), False, ("web2.example",), ()),
        (("{web1,job1}.example",), (), False, ("web1.example", "job1.example"), ()),
        ((), ("job",), False, ("web2.example", "job1.example"), ("job",)),
        ((), ("j*",), False, ("web2.example", "job1.example"), ("job",)),
        (("web1*", "web2*"), ("job",), False, ("web2.example",), ("job",)),
        ((), (), True, ("web1.example",), ()),
        ((), ("job",), True, ("web2.example",), ("job",)),
    ],
)
def test_filters(
    shop: Config,
    hosts: tuple[str, ...],
    roles: tuple[str, ...],
    primary: bool,
    expected_hosts: tuple[str, ...],
    expected_roles: tuple[str, ...],
) -> None:
    target = select(shop, hosts=hosts, roles=roles, primary=primary)
    assert (target.hosts, target.roles) == (expected_hosts, expected_roles)


def test_a_filter_that_matches_nothing_is_an_error(shop: Config) -> None:
    with pytest.raises(ConfigError) as refused:
        select(shop, hosts=("db*",))
    assert str(refused.value) == "No --hosts match for db*; there are web1.example, web2.example, job1.example"
    with pytest.raises(ConfigError) as refused:
        select(shop, roles=("cron",))
    assert str(refused.value) == "No --roles match for cron; there are web, job"


def test_braces() -> None:
    assert expand_braces("a{1,2}b{x,y}") == ["a1bx", "a1by", "a2bx", "a2by"]
    assert expand_braces("plain") == ["plain"]
