"""Hooks as real programs: how they are called, heard, and ended."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kamal_pyinfra.errors import HookFailed
from kamal_pyinfra.local.hooks import call_hook, call_pre_connect, has_hook, require_executable
from kamal_pyinfra.local.programs import Running, end_programs
from kamal_pyinfra.plan.run import Run
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.processes import is_running, until

WAY_OUT = "Mend the cause and run the same command again; --skip-hooks (pyinfra: --data skip_hooks=true) goes without."
ENVIRON = {**SECRETS, "PATH": os.environ["PATH"]}

Write = Callable[..., Path]


@pytest.fixture
def run(config: MakeConfig) -> Run:
    return a_run(config(environ=ENVIRON))


@pytest.fixture
def hook(tmp_path: Path) -> Write:
    def write(name: str, body: str, *, first: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
        path = tmp_path / ".kamal/hooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{first}{body}\n")
        path.chmod(mode)
        return path

    return write


def heard(run: Run, name: str, **told: object) -> list[str]:
    lines: list[str] = []
    call_hook(run, name, lines.append, **told)
    return lines


def failure(run: Run, name: str) -> str:
    with pytest.raises(HookFailed) as caught:
        heard(run, name)
    return str(caught.value)


def test_a_hook_runs_where_kp_was_started_with_its_environment(run: Run, hook: Write, tmp_path: Path) -> None:
    hook("post-deploy", 'pwd; env | sort | grep -v -e "^PWD=" -e "^_=" -e "^SHLVL=" -e AT=; test -t 0 || cat')
    assert heard(run, "post-deploy", runtime=3.2) == [
        str(tmp_path),
        "KAMAL_COMMAND=deploy",
        "KAMAL_HOSTS=192.0.2.1",
        "KAMAL_PERFORMER=dev@example.com",
        "KAMAL_RUNTIME=3",
        "KAMAL_SERVICE=shop",
        "KAMAL_SERVICE_VERSION=shop@v2",
        "KAMAL_VERSION=v2",
        "OTHER_SECRET=hush-other",
        f"PATH={os.environ['PATH']}",
        "REGISTRY_PASSWORD=[REDACTED]",
        "TOP_SECRET=hush-top",
    ]


def test_env_files_reach_the_hook_and_variables_of_a_run_around_it_do_not(
    config: MakeConfig, hook: Write, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("FROM_FILE=dotenv\n")
    hook("pre-deploy", 'echo "$FROM_FILE $KAMAL_REGISTRY ${KAMAL_RUNTIME-none} ${KAMAL_ROLE-none}"')
    around = {"KAMAL_RUNTIME": "99", "KAMAL_ROLE": "other", "KAMAL_REGISTRY": "kept"}
    assert heard(a_run(config(environ=ENVIRON | around)), "pre-deploy") == ["dotenv kept none none"]


def test_no_shell_reads_the_values(config: MakeConfig, hook: Write, tmp_path: Path) -> None:
    hostile = "$(touch pwned)`touch pwned`\"'; touch pwned"
    hook("pre-deploy", 'printf "%s\\n" "$KAMAL_PERFORMER"')
    assert heard(a_run(config(environ=ENVIRON), performer=hostile), "pre-deploy") == [hostile]
    assert not (tmp_path / "pwned").exists()


def test_without_the_file_and_with_skip_hooks_nothing_is_called(config: MakeConfig, hook: Write) -> None:
    assert heard(a_run(config()), "pre-deploy") == []
    hook("pre-deploy", "echo called; exit 1")
    skipping = a_run(config(environ=ENVIRON), skips_hooks=True)
    assert heard(skipping, "pre-deploy") == []
    assert not has_hook(skipping, "pre-deploy")


def test_a_sample_is_no_hook(run: Run, hook: Write) -> None:
    hook("pre-deploy.sample", "exit 1", mode=0o644)
    require_executable(run)
    assert heard(run, "pre-deploy") == []


def test_no_secret_of_the_configuration_is_shown_of_a_hook_not_even_line_by_line(
    config: MakeConfig, hook: Write
) -> None:
    values = {
        "NPMRC": "registry=https://npm.example.com\n_authToken=npm_s3cr3tT0ken",
        "SSH_KEY": f"{PEM}\nk3yk3yk3y\n{PEM}",
    }
    loaded = config(
        environ=ENVIRON | values,
        builder={"secrets": ["NPMRC"]},
        ssh={"key_data": ["${SSH_KEY}"]},
        registry={"username": "acme", "password": "literal-passw0rd"},
    )
    hook("pre-deploy", 'echo "$NPMRC"; echo "$SSH_KEY"; echo literal-passw0rd; printf %s literal-passw0rd | base64')
    redacted = "[REDACTED]"
    assert heard(a_run(loaded), "pre-deploy") == [redacted, redacted, PEM, redacted, PEM, redacted, f"{redacted}A=="]


PEM = "-----BEGIN OPENSSH PRIVATE KEY-----"


def test_a_failing_hook_shows_what_it_said_without_control_characters_and_secrets(run: Run, hook: Write) -> None:
    hook("pre-deploy", 'printf "\\033[31mred\\033[0m\\a\\rlight\\n"; echo "with hush-registry" >&2; exit 3')
    assert failure(run, "pre-deploy") == (
        "Hook `pre-deploy` failed with exit code 3 (.kamal/hooks/pre-deploy)\n"
        "  redlight\n"
        "  with [REDACTED]\n"
        f"What served before serves now. {WAY_OUT}"
    )


def test_only_the_last_lines_are_shown(run: Run, hook: Write) -> None:
    hook("pre-connect", "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done; exit 1")
    lines = failure(run, "pre-connect").splitlines()
    assert (len(lines), lines[1], lines[-2]) == (42, "  line 4961", "  line 5000")
    assert lines[-1] == f"Nothing was changed. {WAY_OUT}"


def test_after_a_failing_post_deploy_the_message_says_that_the_deploy_is_done(run: Run, hook: Write) -> None:
    hook("post-deploy", "exit 1")
    assert failure(run, "post-deploy") == (
        "Hook `post-deploy` failed with exit code 1 (.kamal/hooks/post-deploy)\n"
        "The deploy itself is done: v2 serves. A run that finds nothing to change does not call this hook\n"
        "again; run it by hand if it is needed."
    )


def test_a_hook_that_a_signal_ends_has_failed(run: Run, hook: Write) -> None:
    hook("pre-build", "kill -9 $$")
    assert (
        failure(run, "pre-build").splitlines()[0] == "Hook `pre-build` was ended by signal 9 (.kamal/hooks/pre-build)"
    )


def test_a_hook_that_is_not_executable_says_how_to_make_it_so(run: Run, hook: Write) -> None:
    for name in ("pre-deploy", "post-deploy"):
        hook(name, "true", mode=0o644)
    before = (
        "Hook `pre-deploy` is not executable: run `chmod +x .kamal/hooks/pre-deploy`, "
        "or go without hooks with --skip-hooks."
    )
    after = before.replace("pre-deploy", "post-deploy")
    assert failure(run, "pre-deploy") == before
    with pytest.raises(HookFailed) as caught:
        require_executable(run)
    assert str(caught.value) == f"{before}\n{after}"


def test_a_script_without_its_first_line_is_a_shell_script(run: Run, hook: Write) -> None:
    hook("pre-deploy", "echo called", first="")
    assert heard(run, "pre-deploy") == ["called"]


def test_a_program_that_cannot_be_started_says_why(run: Run, hook: Write) -> None:
    path = hook("pre-deploy", "", first="#!/no/such/program\n")
    first = "Hook `pre-deploy` could not be started: No such file or directory (.kamal/hooks/pre-deploy)"
    assert failure(run, "pre-deploy") == f"{first}\nWhat served before serves now. {WAY_OUT}"
    path.unlink()
    path.symlink_to("gone")
    assert failure(run, "pre-deploy").splitlines()[0] == first
    path.unlink()
    path.mkdir()
    assert "could not be started: Permission denied" in failure(run, "pre-deploy")


def test_what_a_hook_leaves_in_the_background_stays_and_is_not_waited_for(run: Run, hook: Write) -> None:
    """A tunnel that pre-connect opens keeps the hook's output open, and must live on."""
    hook("pre-connect", "(trap '' PIPE; while :; do echo noise 2> /dev/null; sleep 0.01; done) & echo $!")
    pid = heard(run, "pre-connect")[0]
    try:
        assert is_running(pid)
    finally:
        os.kill(int(pid), 9)


def test_a_hook_that_hangs_is_ended_with_its_children(run: Run, hook: Write) -> None:
    """As when the run is interrupted: also what ignores TERM must go."""
    hook("pre-deploy", 'trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo $!; echo $$; wait; wait')
    lines: list[str] = []
    failures: list[str] = []
    running: Running = set()

    def call() -> None:
        try:
            call_hook(run, "pre-deploy", lines.append, running=running)
        except HookFailed as error:
            failures.append(str(error).splitlines()[0])

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: len(lines) == 2)
    assert all(map(is_running, lines))
    end_programs(running)
    thread.join(20)
    assert failures == ["Hook `pre-deploy` was ended by signal 9 (.kamal/hooks/pre-deploy)"]
    until(lambda: not any(map(is_running, lines)))


def test_pre_connect_is_called_once_for_a_configuration(config: MakeConfig, hook: Write) -> None:
    hook("pre-connect", 'echo "$KAMAL_COMMAND ${KAMAL_DESTINATION-none}"')
    lines: list[str] = []
    for destination in (None, "eu"):
        made = config(environ=ENVIRON, destination=destination)
        for command in ("app", "deploy"):
            call_pre_connect(a_run(made, command=command), lines.append)
    assert lines == ["app none", "app eu"]


def test_a_command_about_no_version_tells_that_of_the_project(config: MakeConfig, hook: Write) -> None:
    hook("pre-connect", 'echo "$KAMAL_VERSION"')
    assert heard(a_run(config(environ=ENVIRON | {"VERSION": "v9"}), "unknown"), "pre-connect") == ["v9"]
    assert heard(a_run(config(environ=ENVIRON), "unknown"), "pre-connect") == ["unknown"]


def test_hooks_path_may_be_absolute(config: MakeConfig, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "pre-deploy").write_text("echo called")
    (folder / "pre-deploy").chmod(stat.S_IRWXU)
    assert heard(a_run(config(environ=ENVIRON, hooks_path=str(folder))), "pre-deploy") == ["called"]
