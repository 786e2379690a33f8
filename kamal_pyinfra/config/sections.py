"""The small sections: ssh, sshkit, boot, watch, logging, healthcheck, release, timeouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kamal_pyinfra.config import values
from kamal_pyinfra.config.values import Count, FilledText, Flag, Seconds, Section, Text, field, ours, problem, to_text

SLICE_SECONDS = 5
"""Length of a slice of the watch: when the version fails on one host, the others stop after that."""
Options = dict[str, values.Option]
"""Options of a command line, in the file's order: text, ``true`` for a bare switch, or a list."""


class Watch(Section):
    """How a new version is watched while the old one still runs beside it, ready to take over again.

    A container that stops, restarts or gets unhealthy is bad at once; `cmd` and `url` may fail once.
    """

    seconds: Seconds = ours("How long.", ...)
    cmd: FilledText | None = ours("Shell command in each new container of the primary role; must exit 0.")
    url: FilledText | None = ours("Asked with `curl` or `wget` from each host of the primary role; must succeed.")


def alone(key: str) -> Callable[[object], object]:
    """A validator that takes a value alone as a section with this key."""
    return lambda value: value if isinstance(value, dict | BaseModel) else {key: value}


WatchSetting = Annotated[Watch | None, BeforeValidator(alone("seconds"), json_schema_input_type=int | Watch | None)]


class Ssh(Section):
    """How hosts are reached."""

    user: FilledText = field("Remote user; without it the one in `~/.ssh/config`, else root.", "root")
    port: values.Port = field("Remote port; without it the one in `~/.ssh/config`, else 22.", 22)
    proxy: Text | None = field(
        "Jump host as `[user@]host[:port]`, or several with commas; what is left out is taken from"
        " `~/.ssh/config`, and the user is root if that has none."
    )
    proxy_command: Text | None = field("Command to connect through.")
    log_level: Annotated[
        Literal["debug", "info", "warn", "error", "fatal"], BeforeValidator(lambda value: to_text(value).lower())
    ] = field("Messages of the SSH library on standard error.", "fatal")
    keys: tuple[Text, ...] = field("Files with private keys; one that is not there is left out, as `ssh` does.", ())
    keys_only: Flag = field("Use only `keys`, not what an agent offers.", False)
    key_data: tuple[values.SecretText, ...] = field("Private keys themselves, as PEM text.", ())
    connect_timeout: Seconds = ours("Seconds to wait for a connection; without it those in `~/.ssh/config`.", 10)
    command_timeout: Seconds = ours(
        "Seconds for a command that reads or writes; those that pull, boot or stop have their own limits.", 60
    )
    host_keys: Annotated[Literal["accept-new", "strict"], BeforeValidator(to_text)] = ours(
        "Whether a host that is not in `known_hosts` is accepted (its key is added and shown) or refused.", "accept-new"
    )
    known_hosts: Text | None = ours("File with known host keys; the user's own without it.")

    @property
    def jumps(self) -> tuple[str, ...]:
        """The jump hosts of ``proxy``, in order."""
        return tuple(hop.strip() for hop in (self.proxy or "").split(",") if hop.strip())


class Sshkit(Section):
    """How many connections are opened at a time."""

    max_concurrent_starts: values.Positive = field(
        "Connections that are opened, and images that are pulled, at the same time.", 30
    )
    pool_idle_timeout: values.Int = field("Without effect: a connection is kept for one run (Kamal 1.9: seconds).", 900)


class Boot(Section):
    """How many hosts boot at the same time."""

    limit: values.Limit | None = field("Hosts per batch, as a number or `N%` of all hosts; all at once without it.")
    wait: Count | None = field("Seconds to wait between batches; 2 without it.")
    failure: Annotated[Literal["rollback", "halt"], BeforeValidator(to_text)] = ours(
        "What becomes of earlier batches when one fails: back to the old version, or left.", "rollback"
    )
    max_unavailable: values.Share | None = ours(
        "Hosts of the app that `--skip-unreachable` may leave out, as a number or `N%`; any without it."
    )
    watch: WatchSetting = ours(
        "Seconds to watch the new version after the switch, while the old one can still come back; or a section."
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


class Logging(Section):
    """Docker's log driver for containers."""

    driver: Text | None = field("Log driver; Docker's default without it.")
    options: dict[str, Text] = field("Options of the log driver, as `--log-opt`.", {})

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


class Healthcheck(Section):
    """How Docker finds out that a container may serve."""

    cmd: Text | None = field("Command; `curl` on `port` and `path` without it.")
    interval: Annotated[Text, AfterValidator(to_interval)] = field("Time between two checks.", "1s")
    max_attempts: Count = field("Checks of a new container before it counts as failed; the n-th wait is n seconds.", 7)
    port: values.Port = field("Port of the app in the container.", 3000)
    path: Text = field("Path to ask for.", "/up")
    cord: Cord = Field(
        default="/tmp/kamal-cord",  # noqa: S108 - inside the container, Kamal's default
        description="Folder in the container for the cord that takes it out of rotation; `false` for none.",
    )
    log_lines: Count = field("Lines of log to show for a container that failed.", 50)

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


class Release(Section):
    """A command that runs once per deploy in a container of the new version, before anything boots."""

    cmd: FilledText = ours(
        "Command, such as `bin/migrate`; no shell reads it. It may run again after an interruption.", ...
    )
    timeout: Seconds = ours("Seconds after which it is killed, and the deploy ends.", 600)
    role: FilledText | None = ours("Role whose environment, volumes and options it gets; the primary one without it.")
    host: FilledText | None = ours("Host of that role on which it runs; the first one without it.")


ReleaseSetting = Annotated[Release | None, BeforeValidator(alone("cmd"), json_schema_input_type=str | Release | None)]
