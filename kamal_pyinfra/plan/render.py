"""A plan as text and as data. Nothing else turns changes into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from kamal_pyinfra.plan.changes import Action, Change
from kamal_pyinfra.plan.fleet import HostPlan, Plan
from kamal_pyinfra.plan.text import one_line

FORMAT_VERSION = 1

SUMMARY = (
    (Action.CREATE, "create"),
    (Action.UPDATE, "change"),
    (Action.REPLACE, "replace"),
    (Action.REMOVE, "remove"),
)


def change_line(change: Change, width: int = 0) -> str:
    """``+ container  shop-web-v2  version v1 → v2``: symbol, kind, subject, cause."""
    return f"{change.action} {change.kind:<9} {change.subject:<{width}}  {one_line(change.cause)}"


def render_text(plan: Plan) -> str:
    """The plan for people: hosts with the same changes are shown once, with all their names."""
    name = f"{plan.service} {plan.version}".rstrip()
    if plan.is_empty:
        notes = dict.fromkeys(f"{host.host}: {note}\n" for host in plan.hosts for note in host.notes)
        return f"{name}: nothing to change.\n" + "".join(notes)
    width = max(len(change.subject) for change in plan.changes)
    lines = [f"Plan for {name}", ""]
    if plan.build is not None:
        lines += ["this machine", f"  {change_line(plan.build, width)}", ""]
    for hosts, changes in _folded(plan.hosts):
        lines.append(f"{', '.join(hosts[0].roles) or 'no role'}: {', '.join(host.host for host in hosts)}")
        lines += [f"  {change_line(change, width)}" for change in changes] or ["  nothing to change"]
        lines += [f"  ({one_line(note)})" for note in hosts[0].notes]
        lines.append("")
    return "\n".join([*lines, summary(plan), ""])


def _folded(plans: Sequence[HostPlan]) -> list[tuple[list[HostPlan], tuple[Change, ...]]]:
    groups: dict[tuple[object, ...], list[HostPlan]] = {}
    for plan in plans:
        shown = tuple((change.kind, change.action, change.subject, change.cause) for change in plan.changes)
        groups.setdefault((plan.roles, shown, plan.notes), []).append(plan)
    return [(hosts, hosts[0].changes) for hosts in groups.values()]


def summary(plan: Plan) -> str:
    """``Plan: 2 to create, 1 to replace.``"""
    counts = Counter(change.action for change in plan.changes)
    parts = [f"{counts[action]} to {verb}" for action, verb in SUMMARY if counts[action]]
    return f"Plan: {', '.join(parts)}."


def render_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines; ``format_version`` grows when a field changes its meaning."""
    return {
        "format_version": FORMAT_VERSION,
        "service": plan.service,
        "version": plan.version,
        "command": plan.command,
        "build": None if plan.build is None else _change_json(plan.build),
        "hosts": [
            {
                "host": host.host,
                "roles": list(host.roles),
                "changes": [_change_json(change) for change in host.changes],
            }
            for host in plan.hosts
        ],
    }


def _change_json(change: Change) -> dict[str, str]:
    return {
        "action": change.action.name.lower(),
        "kind": change.kind,
        "subject": change.subject,
        "role": change.role,
        "cause": change.cause,
    }
