"""Changes of accessories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kamal_pyinfra.plan.accessory import AccessoryContainer, Upload
from kamal_pyinfra.plan.changes.change import Action, Change


@dataclass(frozen=True, kw_only=True)
class AccessoryChange(Change):
    """Something about one accessory.

    Args:
        name: what the configuration calls it, or called it.
        container: the name of its container.
    """

    kind = "accessory"
    verb: ClassVar[str] = ""

    name: str
    container: str

    @property
    def subject(self) -> str:
        """Its container."""
        return self.container

    @property
    def command(self) -> str:
        """What makes the change, where a run only advises it."""
        return f"kp accessory {self.verb} {self.name}"


@dataclass(frozen=True, kw_only=True)
class BootAccessory(AccessoryChange):
    """An accessory that is not there gets run."""

    usual_action = Action.CREATE
    verb = "boot"

    accessory: AccessoryContainer


@dataclass(frozen=True, kw_only=True)
class RebootAccessory(BootAccessory):
    """An accessory gets replaced by one as configured; its folders and volumes stay."""

    usual_action = Action.REPLACE
    verb = "reboot"


@dataclass(frozen=True, kw_only=True)
class SwitchAccessory(AccessoryChange):
    """An accessory gets started, stopped or both, as it is."""

    verb = "start"


@dataclass(frozen=True, kw_only=True)
class UploadFiles(AccessoryChange):
    """Files of an accessory get written; it reads them when it starts."""

    kind = "files"
    verb = "upload"

    uploads: tuple[Upload, ...]

    @property
    def subject(self) -> str:
        """Their paths."""
        return ", ".join(upload.path for upload in self.uploads)


@dataclass(frozen=True, kw_only=True)
class RemoveAccessory(AccessoryChange):
    """An accessory's container, its image if nothing else uses it, and its secrets go.

    Args:
        image: what it runs; empty if there is no container.
        data: the folder with its files and relative directories, if it goes too; empty if it stays.
    """

    usual_action = Action.REMOVE
    verb = "remove"

    image: str
    env_file: str
    data: str = ""
    is_running: bool = True
