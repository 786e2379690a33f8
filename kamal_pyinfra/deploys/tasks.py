"""The smaller commands, each a pyinfra deploy."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import accessory as accessories
from kamal_pyinfra.operations import apply as app_tasks
from kamal_pyinfra.operations import apply as leftovers
from kamal_pyinfra.operations import apply as removal
from kamal_pyinfra.operations import host as files
from kamal_pyinfra.operations import host as server
from kamal_pyinfra.operations import image, plan, proxy
from kamal_pyinfra.operations import image as registry
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks
from kamal_pyinfra.plan.tasks import app as decisions
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
    registry.credentials_renewed(run=run, name="Log in to the registry")


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


@deploy("Boot accessories")
def boot_accessories(run: Run) -> None:
    """Accessories run; the run's command says whether those that are there are replaced."""
    plan.allowed(run=run, decide=accessory_tasks.boot, name="Look at the host")
    files.directories(run=run, name="Create folders")
    files.env_files(run=run, name="Write env files")
    image.logged_in(run=run, name="Log in to the registry")
    accessories.booted(run=run, name="Boot accessories")


@deploy("Upload files")
def upload_accessories(run: Run) -> None:
    """The accessories' files are on the hosts."""
    accessories.uploaded(run=run, name="Upload files")


@deploy("Create accessories' folders")
def make_accessory_directories(run: Run) -> None:
    """The accessories' folders are on the hosts."""
    accessories.directories(run=run, name="Create folders")


@deploy("Start accessories")
def start_accessories(run: Run) -> None:
    """Accessories run."""
    plan.allowed(run=run, decide=accessory_tasks.start, name="Look at the host")
    accessories.started(run=run, name="Start accessories")


@deploy("Stop accessories")
def stop_accessories(run: Run) -> None:
    """Accessories do not run."""
    plan.allowed(run=run, decide=accessory_tasks.stop, name="Look at the host")
    accessories.stopped(run=run, name="Stop accessories")


@deploy("Restart accessories")
def restart_accessories(run: Run) -> None:
    """Accessories were stopped and started."""
    plan.allowed(run=run, decide=accessory_tasks.restart, name="Look at the host")
    accessories.restarted(run=run, name="Restart accessories")


@deploy("Remove accessories")
def remove_accessories(run: Run, decide: Decide) -> None:
    """Accessories are gone."""
    plan.allowed(run=run, decide=decide, name="Look at the host")
    accessories.removed(run=run, decide=decide, name="Remove accessories")
