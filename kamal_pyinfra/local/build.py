"""Building and pushing the image from the deploying machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.git import git, has_uncommitted_changes
from kamal_pyinfra.config.image import PROXY
from kamal_pyinfra.config.secrets import registry_credentials, require_build_secrets, secret_value
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import registry
from kamal_pyinfra.local import registry as own_registry
from kamal_pyinfra.local.builder import (
    BuilderKind,
    ImageBuilder,
    argument_values,
    choose_builder,
    ensure,
    has_buildx,
    programs_with_ssh,
    require_buildx,
    require_docker,
)
from kamal_pyinfra.local.clone import clean_clone
from kamal_pyinfra.local.hooks import call_hook
from kamal_pyinfra.local.programs import ANSWER_SECONDS, Argv, Programs, Say, shown
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.project.scan import is_ignored


def build_commands(config: Config, version: str, builder: ImageBuilder, *, pushes: bool = True) -> list[Argv]:
    """Build both tags and push them, one command after the other; or leave them in this machine's engine."""
    options = [*build_options(config, version), context(config)]
    if builder.kind is BuilderKind.NATIVE:
        every = [["docker", "push", reference] for reference in references(config, version)]
        return [["docker", "build", *options], *(every if pushes else [])]
    platform = ["--platform", ",".join(builder.platforms)] if builder.platforms else []
    name = builder.nodes[0].context if builder.is_engine else builder.name
    engine = ["--context", name] if builder.is_engine else []
    return [
        ["docker", *engine, "buildx", "build", "--push" if pushes else "--load", *platform, "--builder", name, *options]
    ]


def references(config: Config, version: str) -> list[str]:
    """The version's tag and the one that moves along."""
    return [config.absolute_image(version), f"{config.repository}:{config.latest_tag}"]


def context(config: Config) -> str:
    """The folder to build, relative to where the build runs."""
    return config.builder.context or "."


def build_options(config: Config, version: str) -> Argv:
    """Tags, cache, label, arguments, secrets, file, target and SSH.

    Build arguments are named only: their values are handed over in the environment, see
    :func:`build_environment`, so that no process list shows them. Those of proxies are written out, since docker
    itself would obey them there.
    """
    builder = config.builder
    tags = [word for reference in references(config, version) for word in ("-t", reference)]
    values = argument_values(config)
    arguments = [
        word
        for name in builder.args
        for word in ("--build-arg", f"{name}={values[name]}" if PROXY.fullmatch(name) and name in values else name)
    ]
    secrets = [word for name in builder.secrets for word in ("--secret", f"id={name}")]
    return [
        *tags,
        *cache_options(config),
        "--label",
        f"service={config.service}",
        *arguments,
        *secrets,
        "--file",
        builder.dockerfile,
        *(["--target", builder.target] if builder.target else []),
        *(["--ssh", expanded(builder.ssh, config.environ)] if builder.ssh else []),
    ]


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """The text with ``$NAME`` replaced; Kamal's shell does that, and its documentation relies on it."""
    return re.sub(r"\$(\w+)", lambda match: environ.get(match[1], match[0]), text)


def cache_options(config: Config) -> Argv:
    """Where layers are kept between builds."""
    cache = config.builder.cache
    if cache is None:
        return []
    image = "/".join(filter(None, (config.registry.server, cache.image or f"{config.image}-build-cache")))
    reference = f"ref={image}" if cache.type == "registry" else ""
    kind = f"type={cache.type}"
    to = ",".join(filter(None, (kind, cache.options, reference)))
    return ["--cache-to", to, "--cache-from", ",".join(filter(None, (kind, reference)))]


def build_environment(config: Config) -> dict[str, str]:
    """Values of the build arguments and secrets, for the environment of the build."""
    arguments = {name: value for name, value in argument_values(config).items() if not PROXY.fullmatch(name)}
    secrets = {name: secret_value(config, name).get_secret_value() for name in config.builder.secrets}
    # Docker before 23 has BuildKit but does not use it unasked, and nothing else can hand over secrets and keys.
    buildkit = {"DOCKER_BUILDKIT": "1"} if config.builder.secrets or config.builder.ssh else {}
    return arguments | secrets | buildkit


SAMPLES = frozenset({".env.example", ".env.sample", ".env.template", ".env.erb"})
"""Files that are meant to be in a repository."""


def build_and_push(run: Run, say: Say, warn: Say) -> None:
    """Build the run's version and push it.

    Args:
        run: the run's fixed values.
        say: called with each line that Docker prints.
        warn: called with what the user should know although it works.

    Raises:
        BuildFailed: Docker or a plugin is missing, or a step failed; the message has its last output.
        HookFailed: the hook ``pre-build`` failed.
        ConfigError: a secret of the build, or the registry's password, is not set.
    """
    config = run.config
    require_build_secrets(config)
    programs = Programs(say, warn)
    values = build_environment(config)
    builder = usable_builder(config, programs)
    call_hook(run, "pre-build", say)
    with source(config, programs) as folder, programs_with_ssh(config, builder, programs) as connected:
        has_registry = _has_registry(config, programs)
        if ensure(builder, connected):
            warn(f"The builder {builder.name} was missing or led elsewhere: made anew")
        for argv in build_commands(config, run.version, builder, pushes=has_registry):
            hint = f"{config.absolute_image(run.version)} could not be {_deed(argv)}"
            env = values if "build" in argv else {}
            connected.having(env=env, folder=folder).run(argv, shown=shown(argv), hint=hint)


def _deed(argv: list[str]) -> str:
    if argv[1] == "push":
        return "pushed"
    return "built and pushed" if "--push" in argv else "built"


def usable_builder(config: Config, programs: Programs) -> ImageBuilder:
    """The configured builder, once this machine has what it needs.

    Raises:
        BuildFailed: it has not.
    """
    require_docker(programs)
    builder = choose_builder(config)
    if builder.needs_buildx and choose_builder(config, has_buildx=False) != builder and not has_buildx(programs):
        programs.warn("Docker's buildx plugin is not installed here: building for this machine's own platform only")
        return choose_builder(config, has_buildx=False)
    require_buildx(builder, programs)
    return builder


def _has_registry(config: Config, programs: Programs) -> bool:
    """Whether there is one to push to, and it knows this machine; else hosts get the image from here."""
    if config.registry.is_built_in:
        return own_registry.started(config.registry, programs)
    _log_in(config, programs)
    return True


def _log_in(config: Config, programs: Programs) -> None:
    username, password = registry_credentials(config)
    argv = registry.login_command(config.registry.server, username)
    hint = f"{config.registry.server or 'Docker Hub'} refused the login of {username}"
    programs.run(argv, shown=shown(argv), secret=password.get_secret_value(), hint=hint, silent=ANSWER_SECONDS)


@contextmanager
def source(config: Config, programs: Programs) -> Iterator[Path]:
    """The folder to build: a clean clone of the commit, or the working tree if a context is configured.

    Raises:
        BuildFailed: there is no Dockerfile in it, or no clone can be made.
    """
    root = config.root
    top = git(root, "rev-parse", "--show-toplevel")
    commit = git(root, "rev-parse", "--verify", "HEAD")
    is_dirty = top is not None and has_uncommitted_changes(root)
    if config.builder.context is not None or top is None or commit is None:
        if is_dirty:
            programs.warn("Building with uncommitted changes")
        _require_dockerfile(config, root)
        _warn_of_env_files(config, root, programs)
        yield root
        return
    if is_dirty:
        programs.warn(
            "Building from a clean git clone, so uncommitted changes are ignored; builder.context builds them"
        )
    with clean_clone(config, Path(top), commit, programs) as folder:
        _require_dockerfile(config, folder)
        yield folder


def _require_dockerfile(config: Config, folder: Path) -> None:
    name = config.builder.dockerfile
    if (folder / name).exists():
        return
    if (config.root / name).exists():
        raise BuildFailed(f"{name} is not committed, so a clean clone lacks it: commit it, or set builder.context: .")
    raise BuildFailed(f"{name} not found in {config.root}: nothing to build")


def _warn_of_env_files(config: Config, root: Path, programs: Programs) -> None:
    """A folder that is built as it is goes into the image with its secrets, if the Dockerfile copies all of it."""
    context = root / (config.builder.context or ".")
    ignore_files = (root / f"{config.builder.dockerfile}.dockerignore", context / ".dockerignore")
    found = sorted(path.name for path in context.glob(".env*") if path.is_file() and path.name not in SAMPLES)
    file = next((path for path in ignore_files if path.is_file()), None)
    if file is None:
        way_out = "there is no .dockerignore; write one with the line `.env*`"
    else:
        text = file.read_text("utf-8", errors="replace")
        found = [name for name in found if not is_ignored(name, text)]
        way_out = f"{file.name} does not leave it out; add the line `.env*` at its end"
    if found:
        programs.warn(f"{', '.join(found)} may get into the image: {way_out}")
