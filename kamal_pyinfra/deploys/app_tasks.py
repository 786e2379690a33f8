"""What `kp app` and `kp server` do on hosts, each a pyinfra deploy."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import app_tasks, plan, removal, server
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import app as decisions


@deploy("Start the app")
def start_app(run: Run, decide: Decide) -> None:
    """The containers that are there run and are served."""
    plan.allowed(run=run, decide=decide, name="Look at the host")
    app_tasks.started(run=run, decide=decide, name="Start the app")


@deploy("Stop the app")
def stop_app(run: Run, decide: Decide, message: str) -> None:
    """Containers do not run; what they had begun to answer was answered."""
    plan.allowed(run=run, decide=decide, name="Look at the host")
    app_tasks.stopped(run=run, decide=decide, message=message, name="Stop the app")


@deploy("Remove the app")
def remove_app(run: Run) -> None:
    """No container of the app is left, nor its images."""
    plan.allowed(run=run, decide=decisions.remove, name="Look at the host")
    removal.app_removed(run=run, name="Remove the app")


@deploy("Remove containers or images")
def remove_from_app(run: Run, decide: Decide, message: str) -> None:
    """Containers or images that nobody needs are gone."""
    plan.allowed(run=run, decide=decide, name="Look at the host")
    app_tasks.removed(run=run, decide=decide, message=message, name="Remove them")


@deploy("Bootstrap the server")
def bootstrap_server(run: Run) -> None:
    """Docker is there, and the folders that everything else is put into."""
    server.bootstrapped(run=run, name="Have Docker and folders")
