"""The public facts: one JSON file per case, in pyinfra's own format."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError
from pyinfra_testing.facts import make_fact_tests

from kamal_pyinfra.facts import CordState, DockerInstalled, HostSnapshot, RunningVersions
from kamal_pyinfra.shell.snapshot import Ours, SnapshotQuery, snapshot

# pyinfra-testing leaves the files with the cases for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CASES = Path(__file__).parent
QUERY = SnapshotQuery(
    repository="acme/shop",
    proxy_image="traefik:v2.11",
    registry="",
    run_directory=".kamal",
    lock=".kamal/locks/shop",
    directories=(),
    env_files=(),
    ours=Ours(service="shop", destination="", owner="shop"),
)

TestRunningVersions = make_fact_tests("kamal_pyinfra", "facts.RunningVersions", CASES / "RunningVersions")
TestCordState = make_fact_tests("kamal_pyinfra", "facts.CordState", CASES / "CordState")
TestDockerInstalled = make_fact_tests("kamal_pyinfra", "facts.DockerInstalled", CASES / "DockerInstalled")


def test_absence_is_data():
    assert RunningVersions.default() == {}
    assert CordState.default() == {}
    assert DockerInstalled.default() is False
    assert HostSnapshot.default() is None


def test_lines_of_a_login_shell_are_no_facts() -> None:
    noise = ["unknown", '{"created": 1}', "tied x", "cut", "26.1.5", "container {", "docker ", "cord", "version"]
    assert DockerInstalled().process(noise) is False
    assert RunningVersions().process(noise) == {}
    assert CordState().process(noise) == {}


def test_the_snapshot_fact_runs_the_script_and_reads_it():
    fact = HostSnapshot()
    assert fact.command("web1", QUERY).get_raw_value() == snapshot(QUERY)
    observed = fact.process(["user deploy", "home /home/deploy", "docker 26.1.5", "end"])
    assert (observed.host, observed.docker.version) == ("web1", "26.1.5")


def test_a_snapshot_that_is_cut_short_is_an_error_of_pyinfras():
    fact = HostSnapshot()
    fact.command("web1", QUERY)
    with pytest.raises(FactProcessError, match="cut short"):
        fact.process(["user deploy"])
