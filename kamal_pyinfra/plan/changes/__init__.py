"""Every kind of change that a plan can hold: one small class each, all with a cause."""

from __future__ import annotations

from kamal_pyinfra.plan.changes.accessory import (
    AccessoryChange,
    BootAccessory,
    RebootAccessory,
    RemoveAccessory,
    SwitchAccessory,
    UploadFiles,
)
from kamal_pyinfra.plan.changes.app import (
    AwaitContainer,
    BootContainer,
    ReplaceContainer,
    RestartContainer,
    StopContainer,
    SyncAssets,
)
from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.changes.host import (
    CreateDirectories,
    CreateEnvFile,
    InstallDocker,
    LogIn,
    LogOut,
    ProtectEnvFile,
    PullImage,
    WriteEnvFile,
)
from kamal_pyinfra.plan.changes.leftovers import (
    ForgetHosts,
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
    RemoveUntagged,
    TagLatest,
)
from kamal_pyinfra.plan.changes.proxy import (
    RemoveProxy,
    RemoveProxyImage,
    ReplaceProxy,
    RunProxy,
    StartProxy,
    SwitchProxy,
)
from kamal_pyinfra.plan.changes.release import RunRelease

__all__ = [
    "AccessoryChange",
    "Action",
    "AwaitContainer",
    "BootAccessory",
    "BootContainer",
    "Change",
    "CreateDirectories",
    "CreateEnvFile",
    "ForgetHosts",
    "InstallDocker",
    "LogIn",
    "LogOut",
    "ProtectEnvFile",
    "PullImage",
    "RebootAccessory",
    "RemoveAccessory",
    "RemoveContainer",
    "RemoveDirectory",
    "RemoveEnvFile",
    "RemoveFile",
    "RemoveImage",
    "RemoveProxy",
    "RemoveProxyImage",
    "RemoveUntagged",
    "ReplaceContainer",
    "ReplaceProxy",
    "RestartContainer",
    "RunProxy",
    "RunRelease",
    "StartProxy",
    "StopContainer",
    "SwitchAccessory",
    "SwitchProxy",
    "SyncAssets",
    "TagLatest",
    "UploadFiles",
    "WriteEnvFile",
]
