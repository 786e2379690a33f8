"""The command line: it asks the running proxy, and prints what goes wrong as the real one does."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .durations import SECOND
from .flags import FALSE, TRUE, Flag, Parsed, UsageError, parse
from .places import data_folder, socket_path

STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
PLAIN, ITALIC, BOLD = "", "3;94", "1;34"


class CommandError(Exception):
    """A command failed; the text is printed after `Error: `."""


@dataclass(frozen=True)
class Command:
    """One command: its flags, how many arguments it takes, and what it does."""

    flags: tuple[Flag, ...]
    arguments: int
    run: Callable[[Parsed], None]
    required: str = ""


def _environment(name: str) -> str:
    return os.environ.get(f"KAMAL_PROXY_{name}", os.environ.get(name, ""))


def _port(name: str, default: int) -> int:
    text = _environment(name)
    return int(text) if text.isdecimal() else default


def _run(parsed: Parsed) -> None:
    from .server import PortTakenError, serve

    try:
        serve(parsed.number("http-port"), parsed.number("https-port"), is_debugging=parsed.is_on("debug"))
    except PortTakenError as error:
        raise CommandError(str(error)) from None


def _deploy(parsed: Parsed) -> None:
    given = parsed.given
    if "max-request-body" in given and "buffer-requests" not in given:
        raise CommandError("max-request-body can only be set when request buffering is enabled")
    if "max-response-body" in given and "buffer-responses" not in given:
        raise CommandError("max-response-body can only be set when response buffering is enabled")
    prefixes = ["/" + prefix.strip("/") for prefix in parsed.texts("path-prefix")] or ["/"]
    if parsed.is_on("tls") and "/" not in prefixes:
        raise CommandError("TLS settings must be specified on the root path service")
    hosts, canonical = parsed.texts("host"), parsed.text("canonical-host")
    if canonical and hosts and hosts[0] and canonical not in hosts:
        raise CommandError(f"canonical-host '{canonical}' must be present in the hosts list: [{' '.join(hosts)}]")
    _ask(
        "deploy",
        parsed,
        options=_service_options(parsed, prefixes),
        target_options=_target_options(parsed),
        **_pool(parsed),
    )


def _service_options(parsed: Parsed, prefixes: list[str]) -> dict[str, Any]:
    return {
        "hosts": parsed.texts("host"),
        "path_prefixes": prefixes,
        "tls_enabled": parsed.is_on("tls"),
        "tls_certificate_path": parsed.text("tls-certificate-path"),
        "tls_private_key_path": parsed.text("tls-private-key-path"),
        "tls_redirect": parsed.is_on("tls-redirect"),
        "canonical_host": parsed.text("canonical-host"),
        "acme_directory": STAGING if parsed.is_on("tls-staging") else "",
        "acme_cache_path": parsed.text("tls-acme-cache-path"),
        "error_page_path": parsed.text("error-pages"),
        "strip_prefix": parsed.is_on("strip-path-prefix"),
        "writer_affinity_timeout": parsed.number("writer-affinity-timeout"),
        "read_targets_accept_websockets": parsed.is_on("read-target-websockets"),
    }


def _target_options(parsed: Parsed) -> dict[str, Any]:
    forwards = parsed.is_on("forward-headers") if "forward-headers" in parsed.given else not parsed.is_on("tls")
    return {
        "health_check_config": {
            "path": parsed.text("health-check-path"),
            "port": parsed.number("health-check-port"),
            "interval": parsed.number("health-check-interval"),
            "timeout": parsed.number("health-check-timeout"),
            "host": parsed.text("health-check-host"),
        },
        "response_timeout": parsed.number("target-timeout"),
        "buffer_requests": parsed.is_on("buffer-requests"),
        "buffer_responses": parsed.is_on("buffer-responses"),
        "max_memory_buffer_size": parsed.number("buffer-memory"),
        "max_request_body_size": parsed.number("max-request-body"),
        "max_response_body_size": parsed.number("max-response-body"),
        "log_request_headers": parsed.texts("log-request-header") or None,
        "log_response_headers": parsed.texts("log-response-header") or None,
        "forward_headers": forwards,
        "scope_cookie_paths": parsed.is_on("scope-cookie-paths"),
    }


def _pool(parsed: Parsed) -> dict[str, Any]:
    return {
        "targets": parsed.texts("target"),
        "readers": parsed.texts("read-target"),
        "deploy_timeout": parsed.number("deploy-timeout"),
        "drain_timeout": parsed.number("drain-timeout"),
        "force": parsed.values.get("force") is True,
    }


def _rollout_deploy(parsed: Parsed) -> None:
    _ask("rollout_deploy", parsed, **_pool(parsed))


def _rollout_set(parsed: Parsed) -> None:
    _ask("rollout_set", parsed, percentage=parsed.number("percent"), allowlist=parsed.texts("list"))


def _rollout_stop(parsed: Parsed) -> None:
    _ask("rollout_stop", parsed)


def _pause(parsed: Parsed) -> None:
    _ask("pause", parsed, drain_timeout=parsed.number("drain-timeout"), pause_timeout=parsed.number("max-pause"))


def _stop(parsed: Parsed) -> None:
    _ask("stop", parsed, drain_timeout=parsed.number("drain-timeout"), message=parsed.text("message"))


def _resume(parsed: Parsed) -> None:
    _ask("resume", parsed)


def _remove(parsed: Parsed) -> None:
    _ask("remove", parsed)


def _list(_: Parsed) -> None:
    rows = [["Service", "Host", "Path", "Target", "State", "TLS"], *_call({"verb": "list"})["rows"]]
    widths = [max(len(row[column].encode()) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        first = BOLD if number else ITALIC
        styles = [first, *([PLAIN] if number else [ITALIC]) * (len(row) - 1)]
        cells = zip(row, styles, widths, strict=True)
        print(
            "".join(f"\033[{style}m{cell}\033[0m{' ' * (width - len(cell.encode()))}  " for cell, style, width in cells)
        )


def _ask(verb: str, parsed: Parsed, **args: object) -> None:
    _call({"verb": verb, "service": parsed.arguments[0], **args})


def _call(args: dict[str, Any]) -> dict[str, Any]:
    """Ask the running proxy, and wait as long as it takes."""
    path = socket_path()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError as error:
            raise CommandError(f"dial unix {path}: connect: {os.strerror(error.errno or 0).lower()}") from None
        try:
            connection.sendall(json.dumps(args).encode() + b"\n")
            line = connection.makefile().readline()
        except OSError:
            line = ""
    if not line:
        raise CommandError("unexpected EOF")
    reply: dict[str, Any] = json.loads(line)
    if reply["error"]:
        raise CommandError(reply["error"])
    return reply


TIMEOUTS = (Flag("deploy-timeout", "duration", 30 * SECOND), Flag("drain-timeout", "duration", 30 * SECOND))
POOL = (Flag("target", "strings", []), Flag("read-target", "strings", []), *TIMEOUTS)
DRAIN = TIMEOUTS[1]


def _commands() -> dict[str, Command]:
    deploy = (
        *POOL,
        *(Flag(name, "strings", []) for name in ("host", "path-prefix", "log-request-header", "log-response-header")),
        *(Flag(name, "bool", True) for name in ("strip-path-prefix", "tls-redirect")),
        *(Flag(name, "bool", False) for name in ("tls", "tls-staging", "force", "read-target-websockets")),
        *(Flag(name, "bool", False) for name in ("buffer-requests", "buffer-responses", "forward-headers")),
        Flag("scope-cookie-paths", "bool", False),
        *(Flag(name, "string", "") for name in ("tls-certificate-path", "tls-private-key-path", "canonical-host")),
        *(Flag(name, "string", "") for name in ("health-check-host", "error-pages")),
        Flag("tls-acme-cache-path", "string", str(data_folder() / "certs")),
        Flag("health-check-path", "string", "/up"),
        *(Flag(name, "int", 0) for name in ("health-check-port", "max-request-body", "max-response-body")),
        Flag("buffer-memory", "int", 1 << 20),
        *(Flag(name, "duration", SECOND) for name in ("health-check-interval", "writer-affinity-timeout")),
        Flag("health-check-timeout", "duration", 5 * SECOND),
        Flag("target-timeout", "duration", 30 * SECOND),
    )
    run = (
        Flag("debug", "bool", _environment("DEBUG") in TRUE and _environment("DEBUG") not in FALSE),
        Flag("http-port", "int", _port("HTTP_PORT", 80)),
        Flag("https-port", "int", _port("HTTPS_PORT", 443)),
        Flag("metrics-port", "int", _port("METRICS_PORT", 0)),
        Flag("http3", "bool", False),
    )
    split = (Flag("percent", "int", 0), Flag("list", "strings", []))
    return {
        "deploy": Command(deploy, 1, _deploy, "target"),
        "list": Command((), 0, _list),
        "pause": Command((DRAIN, Flag("max-pause", "duration", 30 * SECOND)), 1, _pause),
        "remove": Command((), 1, _remove),
        "resume": Command((), 1, _resume),
        "rollout deploy": Command(POOL, 1, _rollout_deploy, "target"),
        "rollout set": Command(split, 1, _rollout_set),
        "rollout stop": Command((), 1, _rollout_stop),
        "run": Command(run, 0, _run),
        "stop": Command((DRAIN, Flag("message", "string", "")), 1, _stop),
    }


ALIASES = {"ls": "list", "rm": "remove"}


def main(words: Sequence[str]) -> int:
    """Carry out a command line; return its exit code."""
    try:
        _dispatch(list(words))
    except (UsageError, CommandError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _dispatch(words: list[str]) -> None:
    commands = _commands()
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if words and words[0].startswith("-"):
        parse((), words[:1])
    if not words or words[0] in ("-h", "--help", "help"):
        _help("kamal-proxy", sorted({name.partition(" ")[0] for name in commands}))
        return
    name = ALIASES.get(words[0], words[0])
    rest = words[1:]
    if name == "rollout":
        if not rest or f"rollout {rest[0]}" not in commands:
            _help("kamal-proxy rollout", ["deploy", "set", "stop"])
            return
        name, rest = f"rollout {rest[0]}", rest[1:]
    command = commands.get(name)
    if command is None:
        raise UsageError(f'unknown command "{words[0]}" for "kamal-proxy"\nRun \'kamal-proxy --help\' for usage.')
    parsed = parse(command.flags, rest)
    if parsed.wants_help:
        _help(f"kamal-proxy {name}", [f"--{flag.name} {flag.kind}" for flag in command.flags])
        return
    _check(name, command, parsed)
    command.run(parsed)


def _check(name: str, command: Command, parsed: Parsed) -> None:
    found = len(parsed.arguments)
    if command.arguments == 0 and found and name == "list":
        raise UsageError(f'unknown command "{parsed.arguments[0]}" for "kamal-proxy {name}"')
    if command.arguments and found != command.arguments:
        raise UsageError(f"accepts {command.arguments} arg(s), received {found}")
    if command.required and command.required not in parsed.given:
        raise UsageError(f'required flag(s) "{command.required}" not set')
    pair = ("tls-certificate-path", "tls-private-key-path")
    missing = [flag for flag in pair if flag not in parsed.given]
    if name == "deploy" and len(missing) == 1:
        raise UsageError(
            f"if any flags in the group [{' '.join(pair)}] are set they must all be set; missing [{missing[0]}]"
        )
    if name == "rollout set" and not parsed.given & {"percent", "list"}:
        raise UsageError("at least one of the flags in the group [percent list] is required")


def _help(name: str, lines: list[str]) -> None:
    print(f"Usage:\n  {name}\n\n" + "".join(f"  {line}\n" for line in lines), end="")
