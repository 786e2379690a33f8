"""What commands other than a deploy do on hosts, each a pyinfra deploy."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import accessories, files, image, leftovers, plan, proxy, registry, removal
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as env_tasks
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from kamal_pyinfra.plan.tasks import remove as removal_tasks


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


@deploy("Boot the proxy")
def boot_proxy(run: Run) -> None:
    """The proxy runs as configured."""
    prepare_proxy(run=run)
    proxy.running(run=run, name="Run the proxy")


@deploy("Reboot the proxy")
def reboot_proxy(run: Run) -> None:
    """A new proxy runs as configured, and serves."""
    prepare_proxy(run=run)
    proxy.rebooted(run=run, name="Reboot the proxy")


@deploy("Prepare the proxy")
def prepare_proxy(run: Run) -> None:
    """Everything that a new proxy needs; the one that runs is not touched."""
    plan.allowed(run=run, decide=proxy_tasks.boot, name="Look at the host")
    files.directories(run=run, name="Create folders")
    files.env_files(run=run, name="Write env files")
    image.logged_in(run=run, name="Log in to the registry")


@deploy("Start the proxy")
def start_proxy(run: Run) -> None:
    """The proxy that is there runs."""
    plan.allowed(run=run, decide=proxy_tasks.start, name="Look at the host")
    proxy.started(run=run, name="Start the proxy")


@deploy("Stop the proxy")
def stop_proxy(run: Run) -> None:
    """The proxy does not run."""
    plan.allowed(run=run, decide=proxy_tasks.stop, name="Look at the host")
    proxy.stopped(run=run, name="Stop the proxy")


@deploy("Restart the proxy")
def restart_proxy(run: Run) -> None:
    """The proxy that is there was stopped and started."""
    plan.allowed(run=run, decide=proxy_tasks.restart, name="Look at the host")
    proxy.restarted(run=run, name="Restart the proxy")


@deploy("Remove the proxy")
def remove_proxy(run: Run) -> None:
    """The proxy, its image and its secrets are gone."""
    plan.allowed(run=run, decide=proxy_tasks.remove, name="Look at the host")
    proxy.removed(run=run, decide=proxy_tasks.remove, name="Remove the proxy")


@deploy("Log in to the registry")
def log_in(run: Run) -> None:
    """The engine has today's credentials."""
    registry.logged_in(run=run, name="Log in to the registry")


@deploy("Log out of the registry")
def log_out(run: Run) -> None:
    """The engine has no credentials."""
    registry.logged_out(run=run, name="Log out of the registry")


@deploy("Remove the service")
def remove(run: Run) -> None:
    """Nothing of the service is left but its audit log."""
    plan.allowed(run=run, decide=removal_tasks.remove, name="Look at the host")
    removal.app_removed(run=run, name="Remove the app")
    removal.files_removed(run=run, name="Remove env files, cords and assets")
    proxy.removed(run=run, decide=removal_tasks.unneeded_proxy, name="Remove the proxy")
    accessories.removed(run=run, decide=removal_tasks.accessories, name="Remove accessories")
    removal.logged_out(run=run, name="Log out of the registry")


@deploy("Purge the service")
def purge(run: Run) -> None:
    """Not even the audit log is left."""
    removal.purged(run=run, name="Remove the audit log and empty folders")
