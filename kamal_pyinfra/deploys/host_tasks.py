"""What commands other than a deploy do on hosts, each a pyinfra deploy."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import files, leftovers, plan
from kamal_pyinfra.plan import env_tasks
from kamal_pyinfra.plan.host_task import Decide
from kamal_pyinfra.plan.run import Run


@deploy("Push env files")
def push_env(run: Run) -> None:
    """The files with secrets have today's content."""
    plan.allowed(run=run, decide=env_tasks.push, name="Look at the host")
    files.directories(run=run, name="Create folders")
    files.env_files(run=run, name="Write env files")


@deploy("Delete env files")
def delete_env(run: Run) -> None:
    """The files with secrets are gone."""
    files.env_files_deleted(run=run, name="Delete env files")


@deploy("Prune")
def prune(run: Run, decide: Decide) -> None:
    """What nobody needs beside what is in service is gone."""
    plan.allowed(run=run, decide=decide, name="Look at the host")
    leftovers.pruned(run=run, decide=decide, name="Remove leftovers")
