"""The small sections: ssh, sshkit, boot, watch, logging, healthcheck, release, timeouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kamal_pyinfra.config.values import (
    OURS,
    SECTION,
    Count,
    FilledText,
    Flag,
    Int,
    Limit,
    Option,
    Port,
    Positive,
    Seconds,
    SecretText,
    Share,
    Text,
    problem,
    to_text,
)

SLICE_SECONDS = 5
"""Length of a slice of the watch: when the version fails on one host, the others stop after that."""


class Watch(BaseModel):
    """How a new version is watched while the old one still runs beside it, ready to take over again.

    A container that stops, restarts or gets unhealthy is bad at once; `cmd` and `url` may fail once.
    """

    model_config = SECTION

    seconds: Seconds = Field(description="How long.", json_schema_extra=OURS)
    cmd: FilledText | None = Field(
        default=None,
        description="Shell command in each new container of the primary role; must exit 0.",
        json_schema_extra=OURS,
    )
    url: FilledText | None = Field(
        default=None,
        description="Asked with `curl` or `wget` from each host of the primary role; must succeed.",
        json_schema_extra=OURS,
    )


def alone(key: str) -> Callable[[object], object]:
    """A validator that takes a value alone as a section with this key."""
    return lambda value: value if isinstance(value, dict | BaseModel) else {key: value}


WatchSetting = Annotated[Watch | None, BeforeValidator(alone("seconds"), json_schema_input_type=int | Watch | None)]


class Ssh(BaseModel):
    """How hosts are reached."""

    model_config = SECTION

    user: FilledText = Field(
        default="root", description="Remote user; without it the one in `~/.ssh/config`, else root."
    )
    port: Port = Field(default=22, description="Remote port; without it the one in `~/.ssh/config`, else 22.")
    proxy: Text | None = Field(
        default=None,
        description="Jump host as `[user@]host[:port]`, or several with commas; what is left out is taken from"
        " `~/.ssh/config`, and the user is root if that has none.",
    )
    proxy_command: Text | None = Field(default=None, description="Command to connect through.")
    log_level: Annotated[
        Literal["debug", "info", "warn", "error", "fatal"], BeforeValidator(lambda value: to_text(value).lower())
    ] = Field(default="fatal", description="Messages of the SSH library on standard error.")
    keys: tuple[Text, ...] = Field(
        default=(), description="Files with private keys; one that is not there is left out, as `ssh` does."
    )
    keys_only: Flag = Field(default=False, description="Use only `keys`, not what an agent offers.")
    key_data: tuple[SecretText, ...] = Field(default=(), description="Private keys themselves, as PEM text.")
    connect_timeout: Seconds = Field(
        default=10,
        description="Seconds to wait for a connection; without it those in `~/.ssh/config`.",
        json_schema_extra=OURS,
    )
    command_timeout: Seconds = Field(
        default=60,
        description="Seconds for a command that reads or writes; those that pull, boot or stop have their own limits.",
        json_schema_extra=OURS,
    )
    host_keys: Annotated[Literal["accept-new", "strict"], BeforeValidator(to_text)] = Field(
        default="accept-new",
        description="Whether a host that is not in `known_hosts` is accepted (its key is added and shown) or refused.",
        json_schema_extra=OURS,
    )
    known_hosts: Text | None = Field(
        default=None, description="File with known host keys; the user's own without it.", json_schema_extra=OURS
    )

    @property
    def jumps(self) -> tuple[str, ...]:
        """The jump hosts of ``proxy``, in order."""
        return tuple(hop.strip() for hop in (self.proxy or "").split(",") if hop.strip())

    def sets(self, key: str) -> bool:
        """Whether the file sets a key; otherwise ``~/.ssh/config`` may."""
        return key in self.model_fields_set


class Sshkit(BaseModel):
    """How many connections are opened at a time."""

    model_config = SECTION

    max_concurrent_starts: Positive = Field(
        default=30, description="Connections that are opened, and images that are pulled, at the same time."
    )
    pool_idle_timeout: Int = Field(
        default=900, description="Without effect: a connection is kept for one run (Kamal 1.9: seconds)."
    )


class Boot(BaseModel):
    """How many hosts boot at the same time."""

    model_config = SECTION

    limit: Limit | None = Field(
        default=None, description="Hosts per batch, as a number or `N%` of all hosts; all at once without it."
    )
    wait: Count | None = Field(default=None, description="Seconds to wait between batches; 2 without it.")
    failure: Annotated[Literal["rollback", "halt"], BeforeValidator(to_text)] = Field(
        default="rollback",
        description="What becomes of earlier batches when one fails: back to the old version, or left.",
        json_schema_extra=OURS,
    )
    max_unavailable: Share | None = Field(
        default=None,
        description="Hosts of the app that `--skip-unreachable` may leave out, as a number or `N%`; any without it.",
        json_schema_extra=OURS,
    )
    watch: WatchSetting = Field(
        default=None,
        description="Seconds to watch the new version after the switch, while the old one can still come back; or a"
        " section.",
        json_schema_extra=OURS,
    )

    def allows_without(self, left_out: int, host_count: int) -> bool:
        """Whether a deploy may go on with ``left_out`` of the app's hosts unreachable."""
        if isinstance(self.max_unavailable, str):
            return left_out * 100 <= host_count * int(self.max_unavailable.removesuffix("%"))
        return self.max_unavailable is None or left_out <= self.max_unavailable

    @property
    def watch_slices(self) -> tuple[int, ...]:
        """Seconds of each slice of the watch on a host; empty without a watch."""
        whole, rest = divmod(self.watch.seconds if self.watch is not None else 0, SLICE_SECONDS)
        return (SLICE_SECONDS,) * whole + ((rest,) if rest else ())

    @property
    def pause(self) -> int:
        """Seconds between two batches, 2 by default as in Kamal 1.9."""
        return 2 if self.wait is None else self.wait

    def batches(self, hosts: Sequence[str]) -> list[tuple[str, ...]]:
        """Hosts that boot together, in their order; all of them without a limit."""
        size = self.limit or max(len(hosts), 1)
        if isinstance(size, str):
            size = max(1, len(hosts) * int(size.removesuffix("%")) // 100)
        return [tuple(hosts[start : start + size]) for start in range(0, len(hosts), size)]


class Logging(BaseModel):
    """Docker's log driver for containers."""

    model_config = SECTION

    driver: Text | None = Field(default=None, description="Log driver; Docker's default without it.")
    options: dict[str, Text] = Field(default={}, description="Options of the log driver, as `--log-opt`.")

    def merged_with(self, own: Self) -> Self:
        """These settings with a role's own merged over them."""
        driver = own.driver if own.driver is not None else self.driver
        return self.model_copy(update={"driver": driver, "options": self.options | own.options})


def to_interval(text: str) -> str:
    """A duration in Docker's notation."""
    if not re.fullmatch(r"0|(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+", text, re.ASCII):
        raise problem("should be a duration such as 1s or 1m30s")
    return text


def to_cord(value: object) -> str | None:
    """The folder of the cord in the container; ``false`` means none."""
    if getattr(value, "value", value) is False or value is None:
        return None
    text = to_text(value)
    if not text.startswith("/"):
        raise problem("should be an absolute path or false")
    return text


Cord = Annotated[str | None, BeforeValidator(to_cord, json_schema_input_type=str | Literal[False])]


class Healthcheck(BaseModel):
    """How Docker finds out that a container may serve."""

    model_config = SECTION

    cmd: Text | None = Field(default=None, description="Command; `curl` on `port` and `path` without it.")
    interval: Annotated[Text, AfterValidator(to_interval)] = Field(default="1s", description="Time between two checks.")
    max_attempts: Count = Field(
        default=7, description="Checks of a new container before it counts as failed; the n-th wait is n seconds."
    )
    port: Port = Field(default=3000, description="Port of the app in the container.")
    path: Text = Field(default="/up", description="Path to ask for.")
    cord: Cord = Field(
        default="/tmp/kamal-cord",  # noqa: S108 - inside the container, Kamal's default
        description="Folder in the container for the cord that takes it out of rotation; `false` for none.",
    )
    log_lines: Count = Field(default=50, description="Lines of log to show for a container that failed.")

    @property
    def command(self) -> str:
        """The command that Docker runs; port 80 is left out of the URL as Kamal does."""
        if self.cmd is not None:
            return self.cmd
        authority = "localhost" if self.port == 80 else f"localhost:{self.port}"
        return f"curl -f http://{authority}/{self.path.lstrip('/')} || exit 1"

    @property
    def probes(self) -> bool:
        """Whether the file sets ``cmd``, ``port`` or ``path``."""
        return bool(self.model_fields_set & {"cmd", "port", "path"})

    def merged_with(self, own: Self) -> Self:
        """These settings with a role's own merged over them."""
        return self.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


Options = dict[str, Option]
"""Options of a command line, in the file's order: text, ``true`` for a bare switch, or a list."""
RELEASE_SECONDS = 600


class Release(BaseModel):
    """A command that runs once per deploy in a container of the new version, before anything boots."""

    model_config = SECTION

    cmd: FilledText = Field(
        description="Command, such as `bin/migrate`; no shell reads it. It may run again after an interruption.",
        json_schema_extra=OURS,
    )
    timeout: Seconds = Field(
        default=RELEASE_SECONDS,
        description="Seconds after which it is killed, and the deploy ends.",
        json_schema_extra=OURS,
    )
    role: FilledText | None = Field(
        default=None,
        description="Role whose environment, volumes and options it gets; the primary one without it.",
        json_schema_extra=OURS,
    )
    host: FilledText | None = Field(
        default=None,
        description="Host of that role on which it runs; the first one without it.",
        json_schema_extra=OURS,
    )


ReleaseSetting = Annotated[
    Release | None,
    BeforeValidator(alone("cmd"), json_schema_input_type=str | Release | None),
    Field(
        description="Command that runs once per deploy, before the new version boots; or a section.",
        json_schema_extra=OURS,
    ),
]
