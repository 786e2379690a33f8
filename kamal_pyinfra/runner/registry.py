"""``kp registry``: credentials for this machine's Docker and the hosts'."""

from __future__ import annotations

from collections.abc import Collection

from kamal_pyinfra.config.secrets import registry_credentials
from kamal_pyinfra.local import registry as local_registry
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.table import TASKS, Task
from kamal_pyinfra.runner.progress.emitter import Report
from kamal_pyinfra.runner.tasks import preview, run_task


def log_in(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Give the registry's credentials to this machine's Docker, then to the hosts'.

    Raises:
        ConfigError: a credential has no value. RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, TASKS["registry login"])
        return
    if run.config.registry.is_built_in:
        report.warned("the registry is of your own: nobody logs in, and it starts when it is needed")
        return
    registry_credentials(run.config)
    if is_local:
        report.phase_began("login", [])
        local_registry.log_in(run)
        report.phase_ended("login", succeeded=True)
    if is_remote:
        run_task(TASKS["registry login"], run, hosts, report)


def log_out(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Take the registry's credentials from this machine's Docker, then from the hosts'; end one of one's own.

    Raises:
        RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, TASKS["registry logout"])
        return
    if run.config.registry.is_built_in:
        was_there = local_registry.removed(run.config.registry, Programs(report.output, report.warned))
        report.warned(f"the registry of your own {'is gone; what was pushed stays' if was_there else 'does not run'}")
        return
    if is_local:
        report.phase_began("logout", [])
        local_registry.log_out(run)
        report.phase_ended("logout", succeeded=True)
    if is_remote:
        run_task(TASKS["registry logout"], run, hosts, report)


def _show(run: Run, hosts: Collection[str], report: Report, task: Task) -> None:
    """Say what a dry run would change on hosts; this machine's Docker is not asked."""
    if hosts and not run.config.registry.is_built_in:
        report.planned(preview(task, run, hosts))
