"""A plan that ``kp apply`` can carry out later, unless something changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from kamal_pyinfra.config.image import TAG
from kamal_pyinfra.config.servers import is_host
from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.plan.output.document import ChangeDocument, Document, PlanDocument, plan_document
from kamal_pyinfra.plan.plan import Plan, make_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.text import one_line

FORMAT_VERSION = 1
ABSENT = "(absent)"
SHOWN = 20
LONGEST = 300


def _fleet_facts(observed: Mapping[str, ObservedHost]) -> dict[str, dict[str, str]]:
    return {host: dict(sorted(_facts(each))) for host, each in observed.items()}


def _facts(observed: ObservedHost) -> Iterator[tuple[str, str]]:
    yield "docker", observed.docker.version or observed.docker.error or "not installed"
    yield "version of the last run", observed.record.version if observed.record else ABSENT
    for container in observed.containers:
        name = f"container {container.name}"
        yield f"{name} id", container.id
        yield f"{name} state", container.status.value
        yield f"{name} health", container.health or "none"
        yield from (
            (f"{name} {field}", " ".join(map(str, values))) for field, values in container.options.items() if values
        )
    for image in observed.images:
        yield f"image {image.reference}", image.id
    for path, is_tied in observed.cords.items():
        yield f"cord {path}", "tied" if is_tied else "cut"
    for path, file in observed.files.items():
        yield f"env file {path}", f"mode {file.mode}"
    for path in observed.env_files.difference(observed.files):
        yield f"env file {path}", "present"
    for path in (*observed.directories, *observed.assets):
        yield f"directory {path}", "present"


def _to_host(text: str) -> str:
    if not is_host(text):
        raise ValueError("is no name or address of a host")
    return text


HostName = Annotated[str, AfterValidator(_to_host)]


class RunDocument(Document):
    """What of a run decides about its plan."""

    version: str = Field(pattern=f"^{TAG.pattern}$", description="The version that will be in service.")
    command: Literal["deploy", "setup", "redeploy", "rollback"] = Field(
        description="`deploy`, `setup`, `redeploy` or `rollback`."
    )
    run_id: str = Field(pattern="^[0-9a-f]{32}$", description="Names what the run creates.")
    destination: str | None = Field(description="The destination, if one was chosen.")
    roles: tuple[str, ...] = Field(description="The only roles; empty for all.")
    hosts: tuple[str, ...] = Field(description="The hosts that take part.")
    is_build_allowed: bool = Field(description="Whether a missing image may be built.")
    keeps_env: bool = Field(description="Whether secrets stay as they are on the hosts.")
    decommissioned: tuple[HostName, ...] = Field(description="Hosts from which the service is removed.")
    replaces_edited: bool = Field(description="Whether containers with changed files are replaced.")
    forgotten: tuple[str, ...] = Field(description="Hosts that left the configuration and are no longer noted.")


class PlanFile(Document):
    """A plan, the run that it is for, and the fleet that it was made from."""

    format_version: int = Field(description="Grows when a field changes its meaning.")
    run: RunDocument = Field(description="What of the run decides about the plan.")
    plan: PlanDocument = Field(description="The plan, as `kp plan --json` prints it.")
    fleet: dict[str, dict[str, str]] = Field(description="What was observed: host → fact → value.")


def plan_file(run: Run, plan: Plan, observed: Mapping[str, ObservedHost]) -> PlanFile:
    """The file of a plan."""
    fields = {name: getattr(run, name) for name in RunDocument.model_fields if hasattr(run, name)}
    return PlanFile(
        format_version=FORMAT_VERSION,
        run=RunDocument(**(fields | {"destination": run.config.destination, "hosts": tuple(observed)})),
        plan=plan_document(plan),
        fleet=_fleet_facts(observed),
    )


def parse_plan_file(text: str, name: str) -> PlanFile:
    """A plan from what ``kp plan --out`` wrote to the file of that name; all else is a ``ConfigError``."""
    try:
        file = PlanFile.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        place = "/".join(map(str, problem["loc"])) or "the file"
        line = one_line(f"{place}: {problem['msg']}")[:LONGEST]
        raise ConfigError(f"{name}: {line}; write it with `kp plan --out {name}`") from None
    if file.format_version != FORMAT_VERSION:
        raise ConfigError(f"{name}: format {file.format_version} is not {FORMAT_VERSION}; plan again with this kp")
    return file


def require_unchanged(file: PlanFile, observed: Mapping[str, ObservedHost]) -> None:
    """Refuse a plan (``PlanRefused``) with what is different now: ``192.0.2.1: container x state: a → b``."""
    before, now = file.fleet, _fleet_facts(observed)
    pairs = ((host, before.get(host, {}), now.get(host, {})) for host in sorted({*before, *now}))
    lines = [
        f"{host}: {fact}: {old.get(fact, ABSENT)} → {new.get(fact, ABSENT)}"
        for host, old, new in pairs
        for fact in sorted({*old, *new})
        if old.get(fact) != new.get(fact)
    ]
    if lines:
        raise PlanRefused(_refusal("The fleet has changed since the plan was made", lines))


def require_same_plan(file: PlanFile, run: Run, observed: Mapping[str, ObservedHost]) -> Plan:
    """Make the plan anew; where it is not the one in the file, something else changed (``PlanRefused``)."""
    plan = make_plan(run, observed)
    before, now = _lines(file.plan), _lines(plan_document(plan))
    if before != now:
        gone = [f"no longer planned: {line}" for line in before if line not in now]
        new = [f"newly planned: {line}" for line in now if line not in before]
        raise PlanRefused(_refusal("The plan would be another one today", [*gone, *new] or ["another order"]))
    return plan


def _lines(plan: PlanDocument) -> list[str]:
    of_hosts = [_line(host.host, change) for host in plan.hosts for change in host.changes]
    return of_hosts if plan.build is None else [_line("this machine", plan.build), *of_hosts]


def _line(host: str, change: ChangeDocument) -> str:
    differences = "; ".join(f"{each.field} {each.before} {each.after}" for each in change.differences)
    return f"{host}: {change.action} {change.kind} {change.subject}, {change.cause} {differences}".rstrip()


def _refusal(what: str, lines: list[str]) -> str:
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    shown = [f"  {one_line(line)}" for line in lines[:SHOWN]]
    again = "Run `kp plan --out` again and read the new plan."
    return "\n".join([f"{what}; nothing was changed.", *shown, *more, again])
