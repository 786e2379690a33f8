"""The smaller commands, a row each: what it decides, in which steps that is done, and what it prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.plan import TaskDecision
from kamal_pyinfra.plan.tasks import accessory, app, host, proxy, prune, remove

ENV_AUDITS: Mapping[type[Change], str] = {changes.RemoveEnvFile: "Deleted env files"}
APP_AUDITS: Mapping[type[Change], str] = {
    changes.RemoveContainer: "Removed all app containers",
    changes.RemoveImage: "Removed all app images",
    changes.RemoveUntagged: "Removed all app images",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a task on every host."""

    name: str  # what events and failures call it
    kinds: tuple[type[Change], ...]  # the changes that it makes; all others belong to another step
    # what the audit log says of a kind in place of the kind's own words; ``{…}`` is an option of the task
    audits: Mapping[type[Change], str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A command that is not about a new version."""

    phase: str  # what events call it
    failure: str  # what the message of a failure calls it
    decide: Callable[..., TaskDecision]  # what it changes on a host; options come by :meth:`given`
    steps: tuple[Step, ...]  # how, in order
    state: str  # what a failure says about the other hosts
    hooks: tuple[str, str] = ("", "")  # called on this machine before and after each group of hosts
    needs_secrets: bool = False  # every secret must have a value before a host is asked
    is_locked: bool = True  # the deploy lock is held meanwhile
    is_planned: bool = True  # the changes are known and shown first; without any the lock is not taken
    is_observed: bool = True  # what it decides depends on what is on the host
    is_checked: bool = True  # under the lock it is asked again whether something speaks against it
    untouched: str = ""  # what a failure says about the groups of hosts whose turn had not come

    def given(self, **options: Any) -> Task:
        """Return the task with its options."""
        return replace(
            self,
            decide=partial(self.decide, **options),
            steps=tuple(
                replace(step, audits={kind: line.format(**options) for kind, line in step.audits.items()})
                for step in self.steps
            ),
        )


def step(name: str, *kinds: type[Change], audit: str = "") -> Step:
    """Return a step of changes of these kinds, all with the same line in the audit log."""
    return Step(name=name, kinds=kinds, audits=dict.fromkeys(kinds, audit) if audit else {})


LOG_IN = step("Log in to the registry", changes.LogIn)
LOG_OUT = step("Log out of the registry", changes.LogOut)
ENV_FILES = (
    step("Create folders", changes.CreateDirectories),
    step("Write env files", changes.WriteEnvFile),
)
REMOVE_APP = Step(name="Remove the app", kinds=tuple(APP_AUDITS), audits=APP_AUDITS)
REMOVE_FILES = Step(
    name="Remove env files, cords and assets",
    kinds=(changes.RemoveEnvFile, changes.RemoveFile, changes.RemoveDirectory),
    audits=ENV_AUDITS,
)
PRUNE = step(
    "Remove leftovers",
    *(changes.RemoveContainer, changes.RemoveImage, changes.RemoveUntagged, changes.RemoveDirectory),
)
REMOVE_PROXY = step("Remove the proxy", changes.RemoveProxy, changes.RemoveProxyImage, changes.RemoveProxyEnvFile)
REMOVE_ACCESSORIES = step("Remove accessories", changes.RemoveAccessory)
BOOT_ACCESSORIES = (*ENV_FILES, LOG_IN, step("Boot accessories", changes.BootAccessory))


def _task(phase: str, decide: Callable[..., TaskDecision], *steps: Step, failure: str = "{}", **others: Any) -> Task:
    return Task(phase=phase, failure=failure.format(phase), decide=decide, steps=steps, **others)


_app = partial(_task, failure="{}_app", state="The other hosts are through; `kp app details` shows what runs.")
_remove_from_app = partial(_app, "remove", failure="remove_from_app")
_proxy = partial(
    _task,
    failure="{}_proxy",
    state="The proxies of the other hosts are as wanted; `kp traefik details` shows what runs.",
)
_accessory = partial(
    _task,
    failure="{}_accessories",
    state="What is done on the other hosts stays; `kp accessory details all` shows what runs.",
)
_boot_accessories = partial(_accessory, failure="boot_accessories", needs_secrets=True)
_prune = partial(_task, "prune", state="What serves was not touched; the other hosts are through.")
_registry = partial(_task, is_locked=False, is_planned=False, is_checked=False)

TASKS: Mapping[str, Task] = {
    "app start": _app("start", app.start, step("Start the app", changes.StartContainer)),
    "app stop": _app("stop", app.stop, step("Stop the app", changes.StopContainer, audit="Stopped app")),
    "app stale_containers": _app(
        "stop", app.stale, step("Stop the app", changes.StopContainer, audit="Stopped stale containers")
    ),
    "app remove": _app("remove", app.remove, REMOVE_APP),
    "app remove_container": _remove_from_app(
        app.remove_containers,
        step("Remove them", changes.RemoveContainer, audit="Removed app container with version {version}"),
    ),
    "app remove_containers": _remove_from_app(
        app.remove_containers, step("Remove them", changes.RemoveContainer, audit="Removed all app containers")
    ),
    "app remove_images": _remove_from_app(
        app.remove_images,
        step("Remove them", changes.RemoveImage, changes.RemoveUntagged, audit="Removed all app images"),
    ),
    "accessory boot": _boot_accessories("boot", accessory.boot, *BOOT_ACCESSORIES),
    "accessory reboot": _boot_accessories("reboot", accessory.boot, *BOOT_ACCESSORIES),
    "accessory upload": _accessory(
        "upload", accessory.upload, step("Upload files", changes.UploadFiles), is_checked=False
    ),
    "accessory directories": _accessory(
        "directories",
        accessory.directories,
        step("Create folders", changes.CreateDirectories),
        failure="make_accessory_directories",
        is_checked=False,
    ),
    "accessory start": _accessory("start", accessory.start, step("Start accessories", changes.SwitchAccessory)),
    "accessory stop": _accessory("stop", accessory.stop, step("Stop accessories", changes.SwitchAccessory)),
    "accessory restart": _accessory("restart", accessory.restart, step("Restart accessories", changes.SwitchAccessory)),
    "accessory remove": _accessory("remove", accessory.remove, REMOVE_ACCESSORIES),
    "traefik boot": _proxy(
        "boot",
        proxy.boot,
        *(*ENV_FILES, LOG_IN),
        step("Run the proxy", changes.RunProxy),
    ),
    "traefik reboot": _proxy(
        "reboot",
        proxy.reboot,
        *(*ENV_FILES, LOG_IN),
        step("Reboot the proxy", changes.RebootProxy),
        hooks=("pre-traefik-reboot", "post-traefik-reboot"),
        needs_secrets=True,
        is_planned=False,
        untouched="Not rebooted: {hosts}; their proxies serve as before.",
    ),
    "traefik start": _proxy("start", proxy.start, step("Start the proxy", changes.SwitchProxy)),
    "traefik stop": _proxy("stop", proxy.stop, step("Stop the proxy", changes.SwitchProxy)),
    "traefik restart": _proxy("restart", proxy.restart, step("Restart the proxy", changes.SwitchProxy)),
    "traefik remove": _proxy("remove", proxy.remove, REMOVE_PROXY),
    "env push": _task(
        "env push",
        host.push,
        *ENV_FILES,
        failure="push_env",
        state="The other hosts have their env files. No container was touched.",
        needs_secrets=True,
    ),
    "env delete": _task(
        "env delete",
        host.delete,
        step("Delete env files", changes.RemoveEnvFile, audit=ENV_AUDITS[changes.RemoveEnvFile]),
        failure="delete_env",
        state="The other hosts are through. No container was touched.",
        is_checked=False,
    ),
    "prune all": _prune(prune.everything, PRUNE),
    "prune containers": _prune(prune.containers, PRUNE),
    "prune images": _prune(prune.images, PRUNE),
    "prune accessories": _accessory("remove", accessory.prune, REMOVE_ACCESSORIES),
    "remove": _task(
        "remove",
        remove.remove,
        *(REMOVE_APP, REMOVE_FILES, REMOVE_PROXY, REMOVE_ACCESSORIES, LOG_OUT),
        state="What was removed is gone, what is left is as it was; another run removes the rest.",
        is_planned=False,
    ),
    "server bootstrap": _task(
        "bootstrap",
        host.bootstrap,
        step("Have Docker and folders", changes.InstallDocker, changes.CreateDirectories),
        failure="bootstrap_server",
        state="The other hosts have Docker; a user who installs it must be root or have sudo without password.",
        hooks=("", "docker-setup"),
        is_checked=False,
    ),
    "registry login": _registry(
        "login", host.log_in, LOG_IN, failure="log_in", state="The other hosts are logged in.", is_observed=False
    ),
    "registry logout": _registry(
        "logout", host.log_out, LOG_OUT, failure="log_out", state="The other hosts are logged out."
    ),
}
"""By the words that are typed after ``kp``: phase, decision and steps of each."""
