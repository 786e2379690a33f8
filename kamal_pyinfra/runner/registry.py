"""kp registry login and logout."""

from __future__ import annotations

from collections.abc import Collection

from kamal_pyinfra import deploys
from kamal_pyinfra.local import registry as local_registry
from kamal_pyinfra.local import registry as own_registry
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as registry_tasks
from kamal_pyinfra.runner.act import Task, act
from kamal_pyinfra.runner.planned import preview
from kamal_pyinfra.runner.report import Report

LOG_IN = Task(name="login", deploy=deploys.log_in, is_locked=False, state="The other hosts are logged in.")
LOG_OUT = Task(name="logout", deploy=deploys.log_out, is_locked=False, state="The other hosts are logged out.")


def log_in(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Give the registry's credentials to this machine's Docker, then to the hosts'.

    Raises:
        ConfigError: a credential has no value. RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, registry_tasks.log_in)
        return
    if run.config.registry.is_own:
        report.warned("the registry is of your own: nobody logs in, and it starts when it is needed")
        return
    run.config.registry_credentials()
    if is_local:
        report.phase_began("login", [])
        local_registry.log_in(run)
        report.phase_ended("login", succeeded=True)
    if is_remote:
        act(run, hosts, report, LOG_IN)


def log_out(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Take the registry's credentials from this machine's Docker, then from the hosts'; end one of one's own.

    Raises:
        RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, registry_tasks.log_out)
        return
    if run.config.registry.is_own:
        was_there = own_registry.removed(run.config.registry, Programs(report.output, report.warned))
        report.warned(f"the registry of your own {'is gone; what was pushed stays' if was_there else 'does not run'}")
        return
    if is_local:
        report.phase_began("logout", [])
        local_registry.log_out(run)
        report.phase_ended("logout", succeeded=True)
    if is_remote:
        act(run, hosts, report, LOG_OUT)


def _show(run: Run, hosts: Collection[str], report: Report, decide: Decide) -> None:
    """Say what a dry run would change on hosts; this machine's Docker is not asked."""
    if hosts and not run.config.registry.is_own:
        report.planned(preview(run, hosts, decide))
