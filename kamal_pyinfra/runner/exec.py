"""kp app exec and kp server exec: a command of the user's on hosts, or in the app."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pyinfra.api.host import Host

from kamal_pyinfra import naming
from kamal_pyinfra.config import Role
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.plan.desired import accessory_container
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import ContainerSpec
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.tasks.app import serving_container
from kamal_pyinfra.runner.queries.logs import read_hosts, roles_of
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell import accessory as accessory_commands
from kamal_pyinfra.shell import exec as commands
from kamal_pyinfra.shell.script import chain, guarded, quoted
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import sanitized

ANEW = "`kp app exec` without --reuse and `kp shell --new` make a new one"


@dataclass(frozen=True, kw_only=True)
class Exec:
    """What the user wants to run in the app."""

    command: Sequence[str]  # words
    version: str | None = None  # of the container; without it what is in service
    reuses: bool = False  # in the container that runs, not in a new one
    env: Mapping[str, str] = field(default_factory=dict)  # more variables
    is_terminal: bool = False  # the user types at it


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    """What a command printed on a host."""

    host: str
    role: str
    succeeded: bool
    lines: tuple[str, ...]


def in_app(run: Run, hosts: Collection[str], wanted: Exec) -> list[ExecResult]:
    """Run a command in the app on each host and role; each goes on when another fails."""
    with interruptible(), Session(run, hosts) as session:
        if wanted.reuses:
            observed: Mapping[str, ObservedHost | None] = session.observe()
        else:
            session.require_hosts()
            observed = dict.fromkeys(session.hosts)
        scripts = {host: _app_scripts(run, host, snapshot, wanted) for host, snapshot in observed.items()}
        return _executed(session, scripts, wanted.env)


def app_command(run: Run, host: str, wanted: Exec) -> str:
    """Return shell text that does the same on one terminal of the host, in its first selected role."""
    observed: ObservedHost | None = None
    if wanted.reuses:
        with interruptible(), Session(run, [host]) as session:
            observed = session.observe()[host]
    return next(iter(_app_scripts(run, host, observed, wanted).values()))


def on_hosts(run: Run, hosts: Collection[str], command: str) -> list[ExecResult]:
    """Run shell text on each host; each goes on when another fails."""
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        return _executed(session, {host: {"": host_command(run, host, command)} for host in session.hosts}, {})


def host_command(run: Run, host: str, command: str) -> str:
    """Return shell text of the user's, with a line in the audit log once it is over."""
    return _with_audit(run, command, f"Executed cmd '{command}' on {host}")


def _app_scripts(run: Run, host: str, observed: ObservedHost | None, wanted: Exec) -> dict[str, str]:
    """A command for each selected role of a host."""
    roles = roles_of(run, host)
    return {name: _app_script(run, run.config.role(name), host, observed, wanted) for name in roles}


def _app_script(run: Run, role: Role, host: str, observed: ObservedHost | None, wanted: Exec) -> str:
    config = run.config
    typed = quoted(*wanted.command)
    if observed is None:
        version = wanted.version or naming.latest_tag(config)
        once = ContainerSpec(
            name="",
            image=naming.image_reference(config, version),
            env_file=naming.role_env_file(config, role.name),
            env=tuple(config.env_for(role.name, host).clear.items()),
            volumes=config.volumes,
            options=tuple(role.options.items()),
        )
        command = commands.run_once(once, typed, wanted.env, is_terminal=wanted.is_terminal)
    else:
        container = serving_container(run, observed, role.name, wanted.version)
        if container is None:
            named = f" of {wanted.version}" if wanted.version else ""
            raise ConfigError(f"{host}: no container{named} of role {role.name} runs; {ANEW}")
        version = container.version
        command = commands.run_inside(container.name, typed, wanted.env, is_terminal=wanted.is_terminal)
    return _with_audit(run, command, f"Executed cmd '{' '.join(wanted.command)}' on app version {version}", role.name)


def _with_audit(run: Run, command: str, message: str, role: str = "") -> str:
    line = audited(run, message, role)
    return f"{{ {command}\n}}; code=$?; [ ! -d {quoted(run.config.run_directory)} ] || {line}; exit $code"


def _executed(session: Session, scripts: Mapping[str, Mapping[str, str]], env: Mapping[str, str]) -> list[ExecResult]:
    def on(host: Host) -> list[ExecResult]:
        results = []
        for role, script in scripts[host.name].items():
            succeeded, output = execute(host, commands.with_variables(script), stdin=commands.variables(env))
            lines = tuple(sanitized(line.line) for line in output.combined_lines)
            results.append(ExecResult(host=host.name, role=role, succeeded=succeeded, lines=lines))
        return results

    lost = ("the connection was lost",)
    return [
        result
        for host, results in session.each(on, scripts).items()
        for result in results or (ExecResult(host=host, role="", succeeded=False, lines=lost),)
    ]


def in_accessory(run: Run, name: str, hosts: Collection[str], command: str, *, is_reused: bool) -> dict[str, list[str]]:
    """Run a command in an accessory; return what it printed on each host."""
    line = accessory_command(run, name, command, is_reused=is_reused)
    return read_hosts(run, hosts, guarded(line, seconds=commands.EXEC_SECONDS))


def accessory_command(run: Run, name: str, command: str, *, is_reused: bool, is_terminal: bool = False) -> str:
    """Return shell text for a host that runs a command in an accessory."""
    container = accessory_container(run, name)
    line = accessory_commands.execute(container, command, is_reused=is_reused, is_terminal=is_terminal)
    return chain(audited(run, f"Executed cmd '{command}' on {name} accessory"), line)
