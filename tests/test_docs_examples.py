"""Examples, and configurations on pages, load and plan; what a page shows of a plan is what kp prints."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.config.secrets import missing_secrets, require_secrets
from kamal_pyinfra.inventory import role_groups
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import Plan, make_plan
from kamal_pyinfra.plan.state.observed import Docker, ObservedHost

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("examples/*/*.md"))]
SECRET = "hush-1f6b2c"


def plans_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plans", ROOT / "scripts/plan_blocks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLANS = plans_module()


def example_files() -> Iterator[Any]:
    for path in sorted(ROOT.glob("examples/*/config/deploy*.yml")):
        name = path.parent.parent.name
        destination = path.stem.partition(".")[2] or None
        yield pytest.param(path.parent.parent, destination, id="-".join(filter(None, (name, destination))))


def example(folder: Path, destination: str | None) -> Config:
    """An example with the variables of its .env.example; those without a value are secrets."""
    values = {name: value or SECRET for name, value in dotenv_values(folder / ".env.example").items()}
    return load_config(folder / "config/deploy.yml", destination=destination, environ=values)


def fresh_host(host: str, *, docker: Docker) -> ObservedHost:
    return ObservedHost(host=host, user="deploy", home="/home/deploy", docker=docker)


def plan_fresh(config: Config, command: str, docker: Docker) -> Plan:
    run = PLANS.example_run(config, "v2", command)
    return make_plan(run, {server.host: fresh_host(server.host, docker=docker) for server in config.role_hosts})


@pytest.mark.parametrize(("folder", "destination"), list(example_files()))
class TestExample:
    def test_it_loads_and_its_secrets_are_complete(self, folder: Path, destination: str | None) -> None:
        config = example(folder, destination)
        require_secrets(config)
        assert [name for name, hosts in role_groups(config).items() if not hosts] == []

    def test_fresh_servers_get_everything(self, folder: Path, destination: str | None) -> None:
        config = example(folder, destination)
        plan = plan_fresh(config, "setup", Docker(installed=False))
        text = render_text(plan)
        assert text.count("+ docker ") >= 1
        assert "+ proxy " in text
        assert text.count("+ container ") >= len(config.roles)
        assert text.rstrip().endswith(".")
        assert len(plan_document(plan).hosts) == len(config.role_hosts)
        assert SECRET not in text + plan_document(plan).model_dump_json() + repr(plan)

    def test_servers_with_docker_need_no_setup(self, folder: Path, destination: str | None) -> None:
        plan = plan_fresh(example(folder, destination), "deploy", Docker(installed=True, version="26.1.5"))
        assert "+ docker " not in render_text(plan)
        assert not plan.is_empty

    def test_after_a_deploy_there_is_nothing_to_change(self, folder: Path, destination: str | None) -> None:
        run = PLANS.example_run(example(folder, destination), "v2")
        hosts = [server.host for server in run.config.role_hosts]
        plan = make_plan(run, {host: PLANS.deployed_host(run, host) for host in hosts})
        assert render_text(plan) == f"{plan.service} v2: nothing to change.\n"

    def test_a_new_version_replaces_each_container(self, folder: Path, destination: str | None) -> None:
        config = example(folder, destination)
        before, after = PLANS.example_run(config, "v1"), PLANS.example_run(config, "v2")
        hosts = [server.host for server in config.role_hosts]
        plan = make_plan(after, {host: PLANS.deployed_host(before, host) for host in hosts})
        roles = [role for server in config.role_hosts for role in config.roles if server.host in role.hosts]
        causes = [change.cause for change in plan.changes]
        assert causes.count("version v1 → v2") == len(roles)
        assert len([cause for cause in causes if cause.startswith("stops, replaced by")]) == len(roles)


def test_every_example_is_linked_from_somewhere() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    names = {path.name for path in (ROOT / "examples").iterdir() if (path / "config").is_dir()}
    assert [name for name in sorted(names) if f"examples/{name}/README.md" not in text] == []


def yaml_blocks() -> Iterator[Any]:
    for page in PAGES:
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.S | re.M), start=1):
            yield pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")


def first_yaml_block() -> dict[str, Any]:
    return yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)[1])


@pytest.mark.parametrize("text", list(yaml_blocks()))
def test_a_configuration_on_a_page_loads_alone_or_over_the_one_of_the_readme(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = yaml.safe_load(text)
    whole = text if "service" in document else yaml.safe_dump(first_yaml_block() | document)
    Path("deploy.yml").write_text(whole)
    config = load_config("deploy.yml", environ={})
    config = load_config(
        "deploy.yml", environ=dict.fromkeys(re.findall(r"(\w+) is not set", str(missing_secrets(config))), SECRET)
    )
    assert not plan_fresh(config, "setup", Docker(installed=False)).is_empty


def test_the_first_configuration_of_the_readme_has_seven_lines() -> None:
    block = re.search(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)[1]
    assert len(block.splitlines()) == 7


def test_pages_show_every_plan_and_no_other() -> None:
    shown = [name for page in PAGES for name in re.findall(r"<!-- plan: ([a-z-]+) -->", page.read_text())]
    assert sorted(shown) == sorted(PLANS.PLANS)


@pytest.mark.parametrize("name", PLANS.PLANS)
def test_a_plan_on_a_page_is_what_is_printed_today(name: str) -> None:
    text = PLANS.plan_text(PLANS.PLANS[name])
    assert any(f"$ kp plan\n{text}```" in page.read_text() for page in PAGES)


def test_a_stale_plan_is_found_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- plan: nothing -->\nold\n<!-- end of plan -->\nafter\n")
    monkeypatch.setattr(PLANS, "PAGES_ROOT", tmp_path)
    assert PLANS.main(["--check"]) == 1
    assert PLANS.main([]) == 0
    assert PLANS.main(["--check"]) == 0
    assert readme.read_text() == (
        "before\n<!-- plan: nothing -->\n\n```console\n$ kp plan\nshop v2: nothing to change.\n```\n\n"
        "<!-- end of plan -->\nafter\n"
    )
