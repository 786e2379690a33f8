"""The smaller commands, a row each: what it decides, in which steps that is done, what it asks and says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.plan import TaskDecision
from kamal_pyinfra.plan.tasks import accessory, app, host, proxy, remove

Kinds = tuple[type[Change], ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a task on every host."""

    name: str  # what events and failures call it
    kinds: Kinds  # the changes that it makes; all others belong to another step
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


CONTAINERS: Kinds = (changes.RemoveContainer,)
IMAGES: Kinds = (changes.RemoveImage, changes.RemoveUntagged)
FILES: Kinds = (changes.RemoveEnvFile, changes.RemoveFile, changes.RemoveDirectory)
PROXY: Kinds = (changes.RemoveProxy, changes.RemoveProxyImage, changes.RemoveProxyEnvFile)
ENV_FILES: Kinds = (changes.CreateEnvFile, changes.WriteEnvFile, changes.ProtectEnvFile)
NEW_PROXY: Kinds = (changes.RunProxy, changes.StartProxy, changes.ReplaceProxy)

APP_AUDITS: Mapping[type[Change], str] = {
    changes.RemoveContainer: "Removed all app containers",
    changes.RemoveImage: "Removed all app images",
    changes.RemoveUntagged: "Removed all app images",
}
ENV_AUDITS: Mapping[type[Change], str] = {changes.RemoveEnvFile: "Deleted env files"}

FOLDERS = Step(name="Create folders", kinds=(changes.CreateDirectories,))
WRITE_ENV_FILES = Step(name="Write env files", kinds=ENV_FILES)
LOG_IN = Step(name="Log in to the registry", kinds=(changes.LogIn,))
LOG_OUT = Step(name="Log out of the registry", kinds=(changes.LogOut,))
PREPARED = (FOLDERS, WRITE_ENV_FILES, LOG_IN)
REMOVE_APP = Step(name="Remove the app", kinds=(*CONTAINERS, *IMAGES), audits=APP_AUDITS)
REMOVE_PROXY = Step(name="Remove the proxy", kinds=PROXY)
REMOVE_ACCESSORIES = Step(name="Remove accessories", kinds=(changes.RemoveAccessory,))
BOOT_ACCESSORIES = (
    *PREPARED,
    Step(name="Boot accessories", kinds=(changes.BootAccessory, changes.RebootAccessory)),
)
PRUNE = (Step(name="Remove leftovers", kinds=(*CONTAINERS, *IMAGES, changes.RemoveDirectory)),)


def _stop_app(line: str) -> tuple[Step, ...]:
    kind = changes.StopContainer
    return (Step(name="Stop the app", kinds=(kind,), audits={kind: line}),)


def _remove_from_app(kinds: Kinds, line: str) -> tuple[Step, ...]:
    return (Step(name="Remove them", kinds=kinds, audits=dict.fromkeys(kinds, line)),)


def _switch_proxy(name: str) -> tuple[Step, ...]:
    return (Step(name=name, kinds=(changes.SwitchProxy,)),)


def _switch_accessories(name: str) -> tuple[Step, ...]:
    return (Step(name=name, kinds=(changes.SwitchAccessory,)),)


_app = partial(Task, state="The other hosts are through; `kp app details` shows what runs.")
_proxy = partial(Task, state="The proxies of the other hosts are as wanted; `kp traefik details` shows what runs.")
_accessory = partial(Task, state="What is done on the other hosts stays; `kp accessory details all` shows what runs.")
_prune = partial(
    Task,
    phase="prune",
    failure="prune",
    steps=PRUNE,
    state="What serves was not touched; the other hosts are through.",
)

TASKS: Mapping[str, Task] = {
    "app start": _app(
        phase="start",
        failure="start_app",
        decide=app.start,
        steps=(Step(name="Start the app", kinds=(changes.StartContainer,)),),
    ),
    "app stop": _app(phase="stop", failure="stop_app", decide=app.stop, steps=_stop_app("Stopped app")),
    "app stale_containers": _app(
        phase="stop", failure="stop_app", decide=app.stale, steps=_stop_app("Stopped stale containers")
    ),
    "app remove": _app(phase="remove", failure="remove_app", decide=app.remove, steps=(REMOVE_APP,)),
    "app remove_container": _app(
        phase="remove",
        failure="remove_from_app",
        decide=app.remove_container,
        steps=_remove_from_app(CONTAINERS, "Removed app container with version {version}"),
    ),
    "app remove_containers": _app(
        phase="remove",
        failure="remove_from_app",
        decide=app.remove_containers,
        steps=_remove_from_app(CONTAINERS, "Removed all app containers"),
    ),
    "app remove_images": _app(
        phase="remove",
        failure="remove_from_app",
        decide=app.remove_images,
        steps=_remove_from_app(IMAGES, "Removed all app images"),
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
        steps=(Step(name="Upload files", kinds=(changes.UploadFiles,)),),
        is_checked=False,
    ),
    "accessory directories": _accessory(
        phase="directories",
        failure="make_accessory_directories",
        decide=accessory.directories,
        steps=(Step(name="Create folders", kinds=(changes.CreateAccessoryDirectories,)),),
        is_checked=False,
    ),
    "accessory start": _accessory(
        phase="start",
        failure="start_accessories",
        decide=accessory.start,
        steps=_switch_accessories("Start accessories"),
    ),
    "accessory stop": _accessory(
        phase="stop", failure="stop_accessories", decide=accessory.stop, steps=_switch_accessories("Stop accessories")
    ),
    "accessory restart": _accessory(
        phase="restart",
        failure="restart_accessories",
        decide=accessory.restart,
        steps=_switch_accessories("Restart accessories"),
    ),
    "accessory remove": _accessory(
        phase="remove",
        failure="remove_accessories",
        decide=accessory.remove,
        steps=(REMOVE_ACCESSORIES,),
        question="Remove it from these hosts?",
    ),
    "traefik boot": _proxy(
        phase="boot",
        failure="boot_proxy",
        decide=proxy.boot,
        steps=(*PREPARED, Step(name="Run the proxy", kinds=NEW_PROXY)),
    ),
    "traefik reboot": _proxy(
        phase="reboot",
        failure="reboot_proxy",
        decide=proxy.reboot,
        steps=(*PREPARED, Step(name="Reboot the proxy", kinds=(changes.RebootProxy,))),
        question="Replace the proxy on these hosts?",
        hooks=("pre-traefik-reboot", "post-traefik-reboot"),
        needs_secrets=True,
        is_planned=False,
        untouched="Not rebooted: {hosts}; their proxies serve as before.",
    ),
    "traefik start": _proxy(
        phase="start", failure="start_proxy", decide=proxy.start, steps=_switch_proxy("Start the proxy")
    ),
    "traefik stop": _proxy(
        phase="stop", failure="stop_proxy", decide=proxy.stop, steps=_switch_proxy("Stop the proxy")
    ),
    "traefik restart": _proxy(
        phase="restart", failure="restart_proxy", decide=proxy.restart, steps=_switch_proxy("Restart the proxy")
    ),
    "traefik remove": _proxy(phase="remove", failure="remove_proxy", decide=proxy.remove, steps=(REMOVE_PROXY,)),
    "env push": Task(
        phase="env push",
        failure="push_env",
        decide=host.push,
        steps=(FOLDERS, WRITE_ENV_FILES),
        state="The other hosts have their env files. No container was touched.",
        needs_secrets=True,
    ),
    "env delete": Task(
        phase="env delete",
        failure="delete_env",
        decide=host.delete,
        steps=(Step(name="Delete env files", kinds=(changes.RemoveEnvFile,), audits=ENV_AUDITS),),
        state="The other hosts are through. No container was touched.",
        is_checked=False,
    ),
    "prune all": _prune(decide=remove.everything),
    "prune containers": _prune(decide=remove.containers),
    "prune images": _prune(decide=remove.images),
    "prune accessories": _accessory(
        phase="remove",
        failure="remove_accessories",
        decide=accessory.prune,
        steps=(REMOVE_ACCESSORIES,),
        question="Remove them from these hosts?",
    ),
    "remove": Task(
        phase="remove",
        failure="remove",
        decide=remove.remove,
        steps=(
            REMOVE_APP,
            Step(name="Remove env files, cords and assets", kinds=FILES, audits=ENV_AUDITS),
            REMOVE_PROXY,
            REMOVE_ACCESSORIES,
            LOG_OUT,
        ),
        state="What was removed is gone, what is left is as it was; another run removes the rest.",
        question="Remove all of this?",
        is_planned=False,
    ),
    "server bootstrap": Task(
        phase="bootstrap",
        failure="bootstrap_server",
        decide=host.bootstrap,
        steps=(Step(name="Have Docker and folders", kinds=(changes.InstallDocker, changes.CreateDirectories)),),
        state="The other hosts have Docker; a user who installs it must be root or have sudo without password.",
        hooks=("", "docker-setup"),
        is_checked=False,
    ),
    "registry login": Task(
        phase="login",
        failure="log_in",
        decide=host.log_in,
        steps=(LOG_IN,),
        state="The other hosts are logged in.",
        is_observed=False,
        is_locked=False,
        is_planned=False,
        is_checked=False,
    ),
    "registry logout": Task(
        phase="logout",
        failure="log_out",
        decide=host.log_out,
        steps=(LOG_OUT,),
        state="The other hosts are logged out.",
        is_locked=False,
        is_planned=False,
        is_checked=False,
    ),
}
"""By the words that are typed after ``kp``."""
