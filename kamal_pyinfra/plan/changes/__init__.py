"""Every kind of change that a plan can hold: one small class each, all with a cause."""

from __future__ import annotations

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
    PullImage,
    ReplaceProxy,
    RunProxy,
    StartProxy,
    WriteEnvFile,
)
from kamal_pyinfra.plan.changes.leftovers import (
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveImage,
    RemoveUntagged,
    TagLatest,
)

__all__ = [
    "Action",
    "AwaitContainer",
    "BootContainer",
    "Change",
    "CreateDirectories",
    "CreateEnvFile",
    "InstallDocker",
    "LogIn",
    "PullImage",
    "RemoveContainer",
    "RemoveDirectory",
    "RemoveEnvFile",
    "RemoveImage",
    "RemoveUntagged",
    "ReplaceContainer",
    "ReplaceProxy",
    "RestartContainer",
    "RunProxy",
    "StartProxy",
    "StopContainer",
    "SyncAssets",
    "TagLatest",
    "WriteEnvFile",
]
