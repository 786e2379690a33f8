"""The smaller commands, a row each: what it decides, in which steps that is done, what it asks and prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.plan import TaskDecision
from kamal_pyinfra.plan.tasks import accessory, app, host, proxy, remove


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
    # what it changes on a host; with :meth:`given` options it needs no more than run and host
    decide: Callable[..., TaskDecision]
    steps: tuple[Step, ...]  # how, in order
    state: str  # what a failure says about the other hosts
    question: str = ""  # asked first, unless ``-y`` is given
    # called on this machine before and after; those of a reboot for each group of hosts
    hooks: tuple[str, str] = ("", "")
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


ENV_AUDITS: Mapping[type[Change], str] = {changes.RemoveEnvFile: "Deleted env files"}
APP_AUDITS: Mapping[type[Change], str] = {
    changes.RemoveContainer: "Removed all app containers",
    changes.RemoveImage: "Removed all app images",
    changes.RemoveUntagged: "Removed all app images",
}
LOG_IN = step("Log in to the registry", changes.LogIn)
LOG_OUT = step("Log out of the registry", changes.LogOut)
ENV_FILES = (
    step("Create folders", changes.CreateDirectories),
    step("Write env files", changes.CreateEnvFile, changes.WriteEnvFile, changes.ProtectEnvFile),
)
REMOVE_APP = Step(name="Remove the app", kinds=tuple(APP_AUDITS), audits=APP_AUDITS)
REMOVE_FILES = Step(
    name="Remove env files, cords and assets",
    kinds=(changes.RemoveEnvFile, changes.RemoveFile, changes.RemoveDirectory),
    audits=ENV_AUDITS,
)
REMOVE_PROXY = step("Remove the proxy", changes.RemoveProxy, changes.RemoveProxyImage, changes.RemoveProxyEnvFile)
REMOVE_ACCESSORIES = step("Remove accessories", changes.RemoveAccessory)
BOOT_ACCESSORIES = (*ENV_FILES, LOG_IN, step("Boot accessories", changes.BootAccessory, changes.RebootAccessory))

_app = partial(Task, state="The other hosts are through; `kp app details` shows what runs.")
_remove_from_app = partial(_app, phase="remove", failure="remove_from_app")
_proxy = partial(Task, state="The proxies of the other hosts are as wanted; `kp traefik details` shows what runs.")
_accessory = partial(Task, state="What is done on the other hosts stays; `kp accessory details all` shows what runs.")
_remove_accessories = partial(_accessory, phase="remove", failure="remove_accessories", steps=(REMOVE_ACCESSORIES,))
_prune = partial(
    Task,
    phase="prune",
    failure="prune",
    steps=(
        step(
            "Remove leftovers",
            changes.RemoveContainer,
            changes.RemoveImage,
            changes.RemoveUntagged,
            changes.RemoveDirectory,
        ),
    ),
    state="What serves was not touched; the other hosts are through.",
)
_registry = partial(Task, is_locked=False, is_planned=False, is_checked=False)

TASKS: Mapping[str, Task] = {
    "app start": _app(
        phase="start", failure="start_app", decide=app.start, steps=(step("Start the app", changes.StartContainer),)
    ),
    "app stop": _app(
        phase="stop",
        failure="stop_app",
        decide=app.stop,
        steps=(step("Stop the app", changes.StopContainer, audit="Stopped app"),),
    ),
    "app stale_containers": _app(
        phase="stop",
        failure="stop_app",
        decide=app.stale,
        steps=(step("Stop the app", changes.StopContainer, audit="Stopped stale containers"),),
    ),
    "app remove": _app(phase="remove", failure="remove_app", decide=app.remove, steps=(REMOVE_APP,)),
    "app remove_container": _remove_from_app(
        decide=app.remove_container,
        steps=(step("Remove them", changes.RemoveContainer, audit="Removed app container with version {version}"),),
    ),
    "app remove_containers": _remove_from_app(
        decide=app.remove_containers,
        steps=(step("Remove them", changes.RemoveContainer, audit="Removed all app containers"),),
    ),
    "app remove_images": _remove_from_app(
        decide=app.remove_images,
        steps=(step("Remove them", changes.RemoveImage, changes.RemoveUntagged, audit="Removed all app images"),),
    ),
    "accessory boot": _accessory(
        phase="boot", failure="boot_accessories", decide=accessory.boot, steps=BOOT_ACCESSORIES, needs_secrets=True
    ),
    "accessory reboot": _accessory(
        phase="reboot", failure="boot_accessories", decide=accessory.boot, steps=BOOT_ACCESSORIES, needs_secrets=True
    ),
    "accessory upload": _accessory(
        phase="upload",
        failure="upload_accessories",
        decide=accessory.upload,
        steps=(step("Upload files", changes.UploadFiles),),
        is_checked=False,
    ),
    "accessory directories": _accessory(
        phase="directories",
        failure="make_accessory_directories",
        decide=accessory.directories,
        steps=(step("Create folders", changes.CreateAccessoryDirectories),),
        is_checked=False,
    ),
    "accessory start": _accessory(
        phase="start",
        failure="start_accessories",
        decide=accessory.start,
        steps=(step("Start accessories", changes.SwitchAccessory),),
    ),
    "accessory stop": _accessory(
        phase="stop",
        failure="stop_accessories",
        decide=accessory.stop,
        steps=(step("Stop accessories", changes.SwitchAccessory),),
    ),
    "accessory restart": _accessory(
        phase="restart",
        failure="restart_accessories",
        decide=accessory.restart,
        steps=(step("Restart accessories", changes.SwitchAccessory),),
    ),
    "accessory remove": _remove_accessories(decide=accessory.remove, question="Remove it from these hosts?"),
    "traefik boot": _proxy(
        phase="boot",
        failure="boot_proxy",
        decide=proxy.boot,
        steps=(*ENV_FILES, LOG_IN, step("Run the proxy", changes.RunProxy, changes.StartProxy, changes.ReplaceProxy)),
    ),
    "traefik reboot": _proxy(
        phase="reboot",
        failure="reboot_proxy",
        decide=proxy.reboot,
        steps=(*ENV_FILES, LOG_IN, step("Reboot the proxy", changes.RebootProxy)),
        question="Replace the proxy on these hosts?",
        hooks=("pre-traefik-reboot", "post-traefik-reboot"),
        needs_secrets=True,
        is_planned=False,
        untouched="Not rebooted: {hosts}; their proxies serve as before.",
    ),
    "traefik start": _proxy(
        phase="start", failure="start_proxy", decide=proxy.start, steps=(step("Start the proxy", changes.SwitchProxy),)
    ),
    "traefik stop": _proxy(
        phase="stop", failure="stop_proxy", decide=proxy.stop, steps=(step("Stop the proxy", changes.SwitchProxy),)
    ),
    "traefik restart": _proxy(
        phase="restart",
        failure="restart_proxy",
        decide=proxy.restart,
        steps=(step("Restart the proxy", changes.SwitchProxy),),
    ),
    "traefik remove": _proxy(phase="remove", failure="remove_proxy", decide=proxy.remove, steps=(REMOVE_PROXY,)),
    "env push": Task(
        phase="env push",
        failure="push_env",
        decide=host.push,
        steps=ENV_FILES,
        state="The other hosts have their env files. No container was touched.",
        needs_secrets=True,
    ),
    "env delete": Task(
        phase="env delete",
        failure="delete_env",
        decide=host.delete,
        steps=(step("Delete env files", changes.RemoveEnvFile, audit=ENV_AUDITS[changes.RemoveEnvFile]),),
        state="The other hosts are through. No container was touched.",
        is_checked=False,
    ),
    "prune all": _prune(decide=remove.everything),
    "prune containers": _prune(decide=remove.containers),
    "prune images": _prune(decide=remove.images),
    "prune accessories": _remove_accessories(decide=accessory.prune, question="Remove them from these hosts?"),
    "remove": Task(
        phase="remove",
        failure="remove",
        decide=remove.remove,
        steps=(REMOVE_APP, REMOVE_FILES, REMOVE_PROXY, REMOVE_ACCESSORIES, LOG_OUT),
        state="What was removed is gone, what is left is as it was; another run removes the rest.",
        question="Remove all of this?",
        is_planned=False,
    ),
    "server bootstrap": Task(
        phase="bootstrap",
        failure="bootstrap_server",
        decide=host.bootstrap,
        steps=(step("Have Docker and folders", changes.InstallDocker, changes.CreateDirectories),),
        state="The other hosts have Docker; a user who installs it must be root or have sudo without password.",
        hooks=("", "docker-setup"),
        is_checked=False,
    ),
    "registry login": _registry(
        phase="login",
        failure="log_in",
        decide=host.log_in,
        steps=(LOG_IN,),
        state="The other hosts are logged in.",
        is_observed=False,
    ),
    "registry logout": _registry(
        phase="logout",
        failure="log_out",
        decide=host.log_out,
        steps=(LOG_OUT,),
        state="The other hosts are logged out.",
    ),
}
"""By the words that are typed after ``kp``."""
