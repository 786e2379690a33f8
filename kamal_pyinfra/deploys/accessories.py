"""What ``kp accessory`` does on hosts, each a pyinfra deploy."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import accessories, files, image, plan
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks


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
