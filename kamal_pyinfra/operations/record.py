"""The mark of the version in service: Kamal's tag, and what this run leaves behind for the next one to know."""

from __future__ import annotations

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.edited import is_noted_while_switching, note
from kamal_pyinfra.plan.changes.host import TagLatest
from kamal_pyinfra.plan.diff.host import diff_record, diff_tag
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.state.record import record_text
from kamal_pyinfra.shell import files, image
from kamal_pyinfra.shell.script import chain


def mark(run: Run, desired: DesiredHost, observed: ObservedHost) -> tuple[str, str]:
    """What makes ``latest`` name the version in service, and writes down this run.

    Returns:
        The command, empty if that is so already, and its standard input: the record holds digests of env files, so it
        is written like one, with mode 0600.
    """
    tags = [change for change in diff_tag(desired, observed) if isinstance(change, TagLatest)]
    record = next_record(run, desired, observed)
    is_recorded = desired.is_leaving or record == observed.record
    if not tags and is_recorded:
        return "", ""
    announce((*tags, *diff_record(desired, observed)))
    script = chain(
        *(image.tag(change.image, change.tag) for change in tags),
        *(audited(run, f"Tagging {change.image} as the latest image") for change in tags),
        "" if is_recorded else files.write_secret(desired.record),
        "" if is_noted_while_switching(desired, observed) else note(run, desired, observed),
    )
    return script, "" if is_recorded else files.measured(record_text(record))
