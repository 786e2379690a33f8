"""A second run changes nothing, and sends nothing that could."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.project import BIN, Project
from tests.lab.lab import Lab

RECORDER = """
import sys
import pyinfra_cli
from pyinfra.connectors.ssh import SSHConnector
from kamal_pyinfra.cli.main import main
path = sys.argv.pop(1)
run_shell_command = SSHConnector.run_shell_command
from kamal_pyinfra.runner import engine
run_ops = engine.run_ops
def counting(state):
    with open(path, "a") as log:
        log.writelines("operation\\t" + repr(state.op_meta[each].names) + "\\n" for each in state.get_op_order())
    return run_ops(state)
engine.run_ops = counting
def recording(self, command, *arguments, **options):
    with open(path, "a") as log:
        log.write(self.host.name + "\\t" + repr(str(command)) + "\\n")
    return run_shell_command(self, command, *arguments, **options)
SSHConnector.run_shell_command = recording
main()
"""


@pytest.fixture(scope="module")
def deployed(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.kp("setup", version="v1")
    return project


def recorded(project: Project, tmp_path: Path, *arguments: str, version: str) -> list[tuple[str, str]]:
    """Run kp and return every command that it sent, with its host."""
    script, log = tmp_path / "record.py", tmp_path / "commands"
    script.write_text(RECORDER)
    project.execute([str(BIN / "python"), str(script), str(log), *arguments], version=version)
    return [tuple(line.split("\t", 1)) for line in log.read_text().splitlines()]  # type: ignore[misc]


def test_a_deploy_that_changes_nothing_has_no_operation(deployed: Project, tmp_path: Path) -> None:
    """What a look decides must not go through pyinfra's operations."""
    assert not [name for host, name in recorded(deployed, tmp_path, "deploy", version="v1") if host == "operation"]


def test_a_second_deploy_changes_nothing(deployed: Project, tmp_path: Path) -> None:
    """Deploying what already serves must send one look per host, and no other command."""
    before = {host: deployed.inspect(host, f"shop-{role}-v1") for host, role in (("web1", "web"), ("job1", "job"))}
    sent = recorded(deployed, tmp_path, "deploy", version="v1")
    assert len(sent) == 3
    assert all("docker inspect --format" in command and "docker run" not in command for _, command in sent)
    for host, role in (("web1", "web"), ("job1", "job")):
        assert deployed.inspect(host, f"shop-{role}-v1")["Id"] == before[host]["Id"]
        assert deployed.inspect(host, f"shop-{role}-v1")["State"]["StartedAt"] == before[host]["State"]["StartedAt"]


def test_plan_tells_by_its_exit_code_whether_there_are_changes(deployed: Project) -> None:
    """`kp plan --detailed-exitcode` must exit 0 without changes and 2 with some, and change nothing itself."""
    assert deployed.kp("plan", "--detailed-exitcode", version="v1").stdout == "shop v1: nothing to change.\n"
    plan = json.loads(deployed.kp("plan", "--detailed-exitcode", "--json", version="v2", code=2).stdout)
    assert {host["host"] for host in plan["hosts"] if host["changes"]} == {
        deployed.lab.hosts[name] for name in ("web1", "web2", "job1")
    }
    assert deployed.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"


def test_a_changed_worker_leaves_the_web_alone(deployed: Project) -> None:
    """A change of one role must replace that role's containers and not touch the other's."""
    web_before = deployed.inspect("web1", "shop-web-v1")["Id"]
    job_before = deployed.inspect("job1", "shop-job-v1")["Id"]
    deployed.change(lambda config: config["servers"]["job"].update(env={"clear": {"QUEUES": "mail"}}))
    deployed.kp("deploy", version="v1")
    assert deployed.inspect("web1", "shop-web-v1")["Id"] == web_before
    assert deployed.inspect("job1", "shop-job-v1")["Id"] != job_before
    assert "QUEUES=mail" in deployed.inspect("job1", "shop-job-v1")["Config"]["Env"]
    assert deployed.containers("job1") == {"shop-job-v1": "running"}


def test_a_changed_secret_is_written_and_rolled_out(deployed: Project) -> None:
    """A secret that changed must reach the containers that use it."""
    deployed.env["TOP_SECRET"] = "changed-51a7"
    deployed.kp("deploy", version="v1")
    assert "TOP_SECRET=changed-51a7" in deployed.inspect("web2", "shop-web-v1")["Config"]["Env"]
    assert deployed.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"


def test_both_doors_plan_the_same(deployed: Project) -> None:
    """`pyinfra --dry` and `kp plan` must name the same changes for the same hosts."""
    plan = json.loads(deployed.kp("plan", "--json", version="v5").stdout)
    dry = deployed.pyinfra("inventory.py", "deploys/deploy.py", "--dry", version="v5").stderr
    for host in plan["hosts"]:
        for change in host["changes"]:
            line = [text for text in dry.splitlines() if f"[{host['host']}]" in text and change["subject"] in text]
            assert any(change["cause"] in text for text in line), (host["host"], change, dry)


def test_a_deploy_needs_few_commands(deployed: Project, tmp_path: Path) -> None:
    """A new version must need eight commands on a host at most, login and pull included, and two for the lock.

    pyinfra's own work grows with the number of operations, so these are bounded too.
    """
    sent = recorded(deployed, tmp_path, "deploy", version="v6")
    hosts = Counter(host for host, _ in sent)
    assert hosts.pop("operation") <= 9, [name for host, name in sent if host == "operation"]
    assert hosts[deployed.lab.hosts["web2"]] <= 8, sent
    assert hosts[deployed.lab.hosts["web1"]] <= 10, sent
    assert deployed.served("web1") == "v6"
