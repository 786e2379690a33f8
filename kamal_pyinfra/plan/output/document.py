"""The plan for machines: models of the JSON document, from which its schema is made too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from kamal_pyinfra.redactor import redacted

if TYPE_CHECKING:
    from kamal_pyinfra.plan.changes import Change
    from kamal_pyinfra.plan.plan import Plan

FORMAT_VERSION = 1


class Document(BaseModel):
    """Frozen, and with no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DifferenceDocument(Document):
    """One field that is not as it should be; values of secrets are never in it."""

    field: str = Field(description="What differs, such as `env COLOR`, `memory` or `secret TOP_SECRET`.")
    before: str = Field(description="What is there; empty for a field whose value is not shown.")
    after: str = Field(description="What will be; without `before` what happened, such as `changed`.")


class ChangeDocument(Document):
    """One thing that will be different."""

    action: Literal["create", "update", "replace", "remove"] = Field(description="What happens to it.")
    kind: str = Field(description="What it is, such as `container`, `image`, `env file` or `proxy`.")
    subject: str = Field(description="Its name, path or reference.")
    role: str = Field(description="The role that it belongs to; empty for what belongs to the host.")
    cause: str = Field(description="Why.")
    differences: list[DifferenceDocument] = Field(description="Field by field, what is and what will be.")
    drift: bool = Field(description="Whether somebody changed the host, not the configuration.")
    part_of: str = Field(description="The subject of the change that brings this one along; empty if none does.")


class AdviceDocument(ChangeDocument):
    """One thing that differs and is not part of the run."""

    command: str = Field(description="What changes it.")


class HostDocument(Document):
    """One host, its changes in the order in which they are made."""

    host: str = Field(description="Its name in the configuration.")
    roles: list[str] = Field(description="Its roles, the primary one first.")
    changes: list[ChangeDocument] = Field(description="What changes on it; empty if nothing does.")
    advice: list[AdviceDocument] = Field(description="What differs but is not part of the run, such as accessories.")
    unchanged: int = Field(description="How many of the wanted things are as they should be.")
    notes: list[str] = Field(description="What a reader should know of this host besides.")


class SummaryDocument(Document):
    """How many changes of each kind; those that are part of another are not counted."""

    replace: int = Field(description="Things that are replaced.")
    create: int = Field(description="Things that are new.")
    change: int = Field(description="Things that change in place.")
    remove: int = Field(description="Things that go.")
    unchanged: int = Field(description="Wanted things that stay as they are.")


class PlanDocument(Document):
    """What a command would change on which host, and why."""

    format_version: int = Field(description="Grows when a field changes its meaning or goes; new fields may come.")
    service: str = Field(description="`SERVICE`, or `SERVICE-DESTINATION`.")
    version: str = Field(description="The version that will be in service.")
    command: str = Field(description="`deploy`, `setup`, `redeploy` or `rollback`.")
    build: ChangeDocument | None = Field(description="The image that is built first; null if none is.")
    hosts: list[HostDocument] = Field(description="The hosts that take part, in the order of the configuration.")
    notes: list[str] = Field(description="What a reader should know although nothing is done about it.")
    summary: SummaryDocument = Field(description="Counts.")


def plan_document(plan: Plan) -> PlanDocument:
    """The plan as its JSON document."""
    counts = plan.counts
    return PlanDocument(
        format_version=FORMAT_VERSION,
        service=plan.service,
        version=plan.version,
        command=plan.command,
        build=None if plan.build is None else _change(plan.build),
        hosts=[
            HostDocument(
                host=host.host,
                roles=list(host.roles),
                changes=list(map(_change, host.changes)),
                advice=[AdviceDocument(**_change(each).model_dump(), command=each.command) for each in host.advice],
                unchanged=host.unchanged,
                notes=list(host.notes),
            )
            for host in plan.hosts
        ],
        notes=list(plan.notes),
        summary=SummaryDocument(
            change=counts["update"],
            unchanged=plan.unchanged,
            **{action: counts[action] for action in ("replace", "create", "remove")},
        ),
    )


def _change(change: Change) -> ChangeDocument:
    return ChangeDocument(
        action=change.action.name.lower(),
        kind=change.kind,
        subject=redacted(change.subject),
        role=change.role,
        cause=redacted(change.cause),
        differences=[
            DifferenceDocument(field=each.field, before=redacted(each.before), after=redacted(each.after))
            for each in change.differences
        ],
        drift=change.is_drift,
        part_of=change.part_of,
    )
