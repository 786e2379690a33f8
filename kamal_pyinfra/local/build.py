"""Building and pushing the image from the deploying machine, from a clean git clone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.git import git
from kamal_pyinfra.config.image import PROXY
from kamal_pyinfra.config.secrets import registry_credentials, require_build_secrets, secret_value
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import registry
from kamal_pyinfra.local.builder import ImageBuilder, ensure, programs_with_ssh, usable_builder
from kamal_pyinfra.local.hooks import call_hook
from kamal_pyinfra.local.programs import ANSWER_SECONDS, Argv, Programs
from kamal_pyinfra.naming import image_reference, latest_tag
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.project.scan import is_ignored
from kamal_pyinfra.text import sanitized

SAMPLES = frozenset({".env.example", ".env.sample", ".env.template", ".env.erb"})
"""Files that are meant to be in a repository."""
CLONE_SECONDS = 900
"""For git to copy a repository, or to bring a copy up to date."""
STEERING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Set where kp runs inside a git hook; they would lead git away from the clone."""
MOST_LINES = 10
"""Differences of a clone that an error shows."""


def build_commands(config: Config, version: str, builder: ImageBuilder, *, pushes: bool = True) -> list[Argv]:
    """Build both tags and push them, one command after the other; or leave them in this machine's engine."""
    options = [*build_options(config, version), config.builder.context or "."]
    if not builder.name:
        every = [["docker", "push", image_reference(config, tag)] for tag in (version, latest_tag(config))]
        return [["docker", "build", *options], *(every if pushes else [])]
    platform = ["--platform", ",".join(builder.platforms)] if builder.platforms else []
    name = builder.nodes[0].context if builder.is_engine else builder.name
    build = ["docker", *(["--context", name] if builder.is_engine else []), "buildx", "build"]
    return [[*build, "--push" if pushes else "--load", *platform, "--builder", name, *options]]


def build_options(config: Config, version: str) -> Argv:
    """Tags, cache, label, arguments, secrets, file, target and SSH.

    Build arguments are named only: their values are handed over in the environment, see
    :func:`build_environment`, so that no process list shows them. Those of proxies are written out, since docker
    itself would obey them there.
    """
    builder, values, tags = config.builder, argument_values(config), (version, latest_tag(config))
    written = {name: f"{name}={values[name]}" for name in values if PROXY.fullmatch(name)}
    # Kamal's shell replaces ``$NAME``, and its documentation relies on it.
    ssh = re.sub(r"\$(\w+)", lambda match: config.source.environ.get(match[1], match[0]), builder.ssh or "")
    return [
        *(word for tag in tags for word in ("-t", image_reference(config, tag))),
        *cache_options(config),
        *("--label", f"service={config.service}"),
        *(word for name in builder.args for word in ("--build-arg", written.get(name, name))),
        *(word for name in builder.secrets for word in ("--secret", f"id={name}")),
        *("--file", builder.dockerfile),
        *(["--target", builder.target] if builder.target else []),
        *(["--ssh", ssh] if ssh else []),
    ]


def cache_options(config: Config) -> Argv:
    """Where layers are kept between builds."""
    cache = config.builder.cache
    if cache is None:
        return []
    image = "/".join(filter(None, (config.registry.server, cache.image or f"{config.image}-build-cache")))
    reference = f"ref={image}" if cache.type == "registry" else ""
    to, source = ((f"type={cache.type}", *more, reference) for more in ((cache.options,), ()))
    return ["--cache-to", ",".join(filter(None, to)), "--cache-from", ",".join(filter(None, source))]


def argument_values(config: Config) -> dict[str, str]:
    """Values of the build arguments; one without its own has that of the environment, if any."""
    args = config.builder.args
    own = {name: str(value) for name, value in args.items() if value is not None}
    own |= {name: str(value).lower() for name, value in args.items() if isinstance(value, bool)}
    return {name: config.source.environ[name] for name in args if name in config.source.environ} | own


def build_environment(config: Config) -> dict[str, str]:
    """Values of the build arguments and secrets, for the environment of the build."""
    arguments = {name: value for name, value in argument_values(config).items() if not PROXY.fullmatch(name)}
    secrets = {name: secret_value(config, name).get_secret_value() for name in config.builder.secrets}
    # Docker before 23 has BuildKit but does not use it unasked, and nothing else can hand over secrets and keys.
    buildkit = {"DOCKER_BUILDKIT": "1"} if config.builder.secrets or config.builder.ssh else {}
    return arguments | secrets | buildkit


def build_and_push(run: Run, programs: Programs) -> None:
    """Build the run's version and push it.

    Raises:
        BuildFailed: Docker or a plugin is missing, or a step failed; the message has its last output.
        HookFailed: the hook ``pre-build`` failed.
        ConfigError: a secret of the build, or the registry's password, is not set.
    """
    config = run.config
    require_build_secrets(config)
    values = build_environment(config)
    builder = usable_builder(config, programs)
    call_hook(run, "pre-build", programs.output, running=programs.running)
    with source(config, programs) as folder, programs_with_ssh(config, builder, programs) as connected:
        has_registry = _has_registry(config, programs)
        if ensure(builder, connected):
            programs.warn(f"The builder {builder.name} was missing or led elsewhere: made anew")
        for argv in build_commands(config, run.version, builder, pushes=has_registry):
            done = "pushed" if argv[1] == "push" else "built and pushed" if "--push" in argv else "built"
            hint = f"{image_reference(config, run.version)} could not be {done}"
            connected.having(env=values if "build" in argv else {}, folder=folder).require(argv, hint=hint)


def _has_registry(config: Config, programs: Programs) -> bool:
    """Whether there is one to push to, and it knows this machine; else hosts get the image from this machine."""
    if config.registry.is_built_in:
        return registry.started(config.registry, programs)
    username, password = registry_credentials(config)
    hint = f"{config.registry.server or 'Docker Hub'} refused the login of {username}"
    argv = registry.login_command(config.registry.server, username)
    programs.require(argv, secret=password.get_secret_value(), hint=hint, silent=ANSWER_SECONDS)
    return True


@contextmanager
def source(config: Config, programs: Programs) -> Iterator[Path]:
    """The folder to build: a clean clone of the commit, or the working tree if a context is configured."""
    root, name = config.source.root, config.builder.dockerfile
    top, commit = git(root, "rev-parse", "--show-toplevel"), git(root, "rev-parse", "--verify", "HEAD")
    cloned = (Path(top), commit) if config.builder.context is None and top and commit else None
    if top is not None and git(root, "status", "--porcelain"):
        from_clone = "Building from a clean git clone, so uncommitted changes are ignored; builder.context builds them"
        programs.warn(from_clone if cloned else "Building with uncommitted changes")
    with clean_clone(config, *cloned, programs) if cloned else nullcontext(root) as folder:
        if not (folder / name).exists() and (root / name).exists():
            raise BuildFailed(
                f"{name} is not committed, so a clean clone lacks it: commit it, or set builder.context: ."
            )
        if not (folder / name).exists():
            raise BuildFailed(f"{name} not found in {root}: nothing to build")
        if not cloned:
            _warn_of_env_files(config, root, programs)
        yield folder


def _warn_of_env_files(config: Config, root: Path, programs: Programs) -> None:
    """A folder that is built as it is goes into the image with its secrets, if the Dockerfile copies all of it."""
    context = root / (config.builder.context or ".")
    ignore_files = (root / f"{config.builder.dockerfile}.dockerignore", context / ".dockerignore")
    found = sorted(path.name for path in context.glob(".env*") if path.is_file() and path.name not in SAMPLES)
    way_out = "there is no .dockerignore; write one with the line `.env*`"
    if file := next((path for path in ignore_files if path.is_file()), None):
        text = file.read_text("utf-8", errors="replace")
        found = [name for name in found if not is_ignored(name, text)]
        way_out = f"{file.name} does not leave it out; add the line `.env*` at its end"
    if found:
        programs.warn(f"{', '.join(found)} may get into the image: {way_out}")


@contextmanager
def clean_clone(config: Config, top: Path, commit: str, programs: Programs) -> Iterator[Path]:
    """The project's folder inside a clone that has nothing but the commit.

    The clone of the repository, whose root is ``top``, is kept in the folder that Kamal 1.9 keeps it in. If another
    build uses that, or it is not ours alone, a temporary one has to do.
    """
    with ExitStack() as stack:
        hexadecimal = hashlib.sha256(str(config.source.root).encode()).hexdigest()[:13]
        kept = Path(tempfile.gettempdir(), f"kamal-clones/{config.service}-{hexadecimal}")
        if not _is_ours(kept, stack):
            kept = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kp-clone-")))
        clone = kept / top.name
        _prepare(clone, top, commit, programs.having(env={**dict.fromkeys(STEERING), "GIT_TERMINAL_PROMPT": "0"}))
        yield clone / config.source.root.resolve().relative_to(top.resolve())


def _is_ours(folder: Path, stack: ExitStack) -> bool:
    """Make the folder and the one above; whether no other user can put anything into them, and no other build does."""
    others = stat.S_IWGRP | stat.S_IWOTH
    try:
        for path in (folder.parent, folder):
            path.mkdir(exist_ok=True, mode=0o700)
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & others:
                return False
        lock = os.open(f"{folder}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        stack.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _prepare(clone: Path, top: Path, commit: str, programs: Programs) -> None:
    """Have the clone at the commit, with nothing else in it."""
    git_there = ["git", "-C", str(clone)]
    if clone.exists():
        steps = [
            [*git_there, "remote", "set-url", "origin", str(top)],
            [*git_there, "fetch", "origin"],
            [*git_there, "reset", "--hard", commit],
            [*git_there, "clean", "-fdx"],
            [*git_there, "submodule", "update", "--init", "--recursive"],
        ]
        is_reset = all(programs.ask(argv, seconds=CLONE_SECONDS).succeeded for argv in steps)
        if is_reset and _is_clean(git_there, commit, programs):
            return
        programs.output("the kept clone is of no use: cloning anew")
        shutil.rmtree(clone)
    argv = ["git", "-C", str(clone.parent), "clone", str(top), "--recurse-submodules"]
    answer = programs.ask(argv, seconds=CLONE_SECONDS)
    if answer.succeeded and _is_clean(git_there, commit, programs):
        return
    why = answer.error
    if answer.succeeded:
        why = "\n  ".join([f"the clone is not a clean {commit}", *_differences(clone, git_there, programs)])
    raise BuildFailed(
        f"{top} could not be cloned for a clean build:\n  {why}\nSet builder.context: . to build the folder as it is."
    )


def _is_clean(git_there: Argv, commit: str, programs: Programs) -> bool:
    status = programs.ask([*git_there, "status", "--porcelain"])
    return status.succeeded and not status.out and programs.ask([*git_there, "rev-parse", "HEAD"]).out == commit


def _differences(clone: Path, git_there: Argv, programs: Programs) -> list[str]:
    """How a fresh clone differs, and why if that can be observed."""
    status = programs.ask([*git_there, "status", "--porcelain"])
    lines = [sanitized(line.strip()) for line in (status.out or status.error).splitlines()]
    first = [f"  {line}" for line in lines[:MOST_LINES]]
    first += [f"  and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    if not lines or not status.succeeded:
        return first
    if programs.ask([*git_there, "diff", "--quiet", "--ignore-cr-at-eol", "HEAD"]).succeeded:
        return [*first, "Only line ends differ: run `git add --renormalize .` and commit."]
    attributes = clone / ".gitattributes"
    has_lfs = attributes.is_file() and b"filter=lfs" in attributes.read_bytes()
    if has_lfs and not programs.ask(["git", "lfs", "version"]).succeeded:
        return [*first, "Files are kept with Git LFS, which is not installed on this machine: install git-lfs."]
    if (clone / ".gitmodules").is_file():
        return [*first, "There are submodules: is the commit of each one pushed?"]
    return first
