"""A plan as text. Nothing else turns changes into words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.plan import HostPlan, Plan
from kamal_pyinfra.text import one_line

SHOWN_HOSTS = 6


def change_line(change: Change, width: int = 0) -> str:
    """``± container  shop-web-v2  version v1 → v2``: symbol, kind, subject, cause."""
    cause = f"{change.cause} (drift)" if change.is_drift else change.cause
    return f"{change.action} {change.kind:<9} {one_line(change.subject):<{width}}  {one_line(cause)}"


def change_lines(change: Change, width: int = 0) -> Iterator[str]:
    """The line of a change, and one for each difference that its cause does not tell in full."""
    yield change_line(change, width)
    if any(difference.text not in change.cause for difference in change.differences):
        for difference in change.differences:
            yield f"  {one_line(difference.text)}"


def render_text(plan: Plan, *, is_whole: bool = False) -> str:
    """The plan for people: hosts with the same changes once, with all their names; ``is_whole`` shows every step."""
    name = f"{plan.service} {plan.version}".rstrip()
    notes = "".join(f"Note: {one_line(note)}\n" for note in plan.notes)
    if plan.is_empty:
        of_hosts = dict.fromkeys(f"{host.host}: {one_line(note)}\n" for host in plan.hosts for note in host.notes)
        advised = "".join(f"{line}\n" for line in _advice(plan.hosts))
        return f"{notes}{name}: nothing to change.\n" + "".join(of_hosts) + (f"\n{advised}" if advised else "")
    width = max(len(one_line(change.subject)) for change in _shown(plan.changes, is_whole=is_whole))
    lines = [f"Plan for {name}", ""]
    if plan.build is not None:
        lines += ["this machine", f"  {change_line(plan.build, width)}", ""]
    for hosts, shown in _folded(plan.hosts, is_whole=is_whole):
        lines.append(_heading(hosts))
        lines += [f"  {line}" for change in shown for line in change_lines(change, width)] or ["  nothing to change"]
        lines += [f"  ({one_line(note)})" for note in hosts[0].notes]
        lines.append("")
    if advice := list(_advice(plan.hosts)):
        lines += [*advice, ""]
    return "\n".join([*lines, f"{notes}{summary(plan)}", ""])


def _advice(plans: Sequence[HostPlan]) -> Iterator[str]:
    """What is not part of the run, host by host, each with the command that changes it."""
    advising = [plan for plan in plans if plan.advice]
    width = max((len(one_line(change.subject)) for plan in advising for change in plan.advice), default=0)
    groups: dict[tuple[str, ...], list[str]] = {}
    for plan in advising:
        lines: list[str] = []
        for change in plan.advice:
            first, *rest = change_lines(change, width)
            lines += [f"{first}; run `{one_line(change.command)}`", *rest]
        groups.setdefault(tuple(lines), []).append(plan.host)
    for advice, hosts in groups.items():
        yield from (f"Not part of this run, on {', '.join(hosts)}:", *(f"  {line}" for line in advice))


def _folded(plans: Sequence[HostPlan], *, is_whole: bool) -> list[tuple[list[HostPlan], tuple[Change, ...]]]:
    groups: dict[tuple[object, ...], tuple[list[HostPlan], tuple[Change, ...]]] = {}
    for plan in plans:
        shown = _shown(plan.changes, is_whole=is_whole)
        lines = tuple(line for change in shown for line in change_lines(change))
        groups.setdefault((plan.roles or plan.accessories, lines, plan.notes), ([], shown))[0].append(plan)
    return list(groups.values())


def _shown(changes: Iterable[Change], *, is_whole: bool) -> tuple[Change, ...]:
    """Those that stand for themselves; the others come along with one of them."""
    return tuple(change for change in changes if is_whole or not change.part_of)


def _heading(hosts: Sequence[HostPlan]) -> str:
    """``web: 192.0.2.1``, ``web ×2: 192.0.2.1, 192.0.2.2``, or with many hosts the first and how many more."""
    roles = ", ".join(hosts[0].roles or hosts[0].accessories) or "no role"
    count = f" ×{len(hosts)}" if len(hosts) > 1 else ""
    names = [host.host for host in hosts[:SHOWN_HOSTS]]
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    return f"{roles}{count}: {', '.join(names)}{more}"


def summary(plan: Plan) -> str:
    """``Plan: 3 to replace, 1 to create, 0 to change, 0 to remove, 14 unchanged.``"""
    counts = plan.counts
    return (
        f"Plan: {counts['replace']} to replace, {counts['create']} to create, {counts['update']} to change, "
        f"{counts['remove']} to remove, {plan.unchanged} unchanged."
    )
