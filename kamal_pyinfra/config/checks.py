"""Rules that need the whole configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from shlex import quote
from typing import Any

from kamal_pyinfra.config.document.source import other_destinations
from kamal_pyinfra.config.document.tree import Map, Problem, did_you_mean, nearest
from kamal_pyinfra.config.image import CONTAINER_NAME, PROXY, image_problem, reference_problem, server_problem
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.secrets import env_sections, parts
from kamal_pyinfra.config.servers import CONNECTION, Server
from kamal_pyinfra.config.traefik import ROUTER_RULE, WAY_OUT, rule_problem
from kamal_pyinfra.config.values import TOO_LONG, Section, is_too_long, networks

LONGEST = 100_000
"""Bytes for all words of a container as they are sent; the rest of 131,072 is for the rest of the command."""
LONGEST_JOINED = 150
"""Characters of service, role and destination; names of files on hosts add a version to that, and end at 255."""
MOST_REPLICAS = 100
FOR_ONE = ("publish", "p", "ip", "ip6", "mac-address", "cidfile")
"""Options that two containers of a host cannot both have."""
DOCKERS_OWN = re.compile(
    r"PATH|HOME|TMPDIR|SHELL|IFS|(DOCKER|BUILDX|LD|DYLD|XDG|OTEL|MALLOC)_.*"
    r"|BUILDKIT_(?!INLINE_CACHE$|CONTEXT_KEEP_GIT_DIR$|MULTI_PLATFORM$|SANDBOX_HOSTNAME$|SYNTAX$|CACHE_MOUNT_NS$).*"
    r"|EXPERIMENTAL_BUILDKIT_.*|SSL_CERT_.*|GO(DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|RACE|COVERDIR)"
    r"|SSH_(AUTH_SOCK|AGENT_PID|ASKPASS.*|SK_.*|PKCS11_HELPER|CONNECTION|CLIENT)"
    r"|GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|CONFIG.*|SSH|SSH_COMMAND|EXEC_PATH|ASKPASS|PROXY_COMMAND|TRACE.*)"
    r"|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|RES_OPTIONS|HOSTALIASES|LOCALDOMAIN|RESOLV_HOST_CONF"
    r"|BASH_ENV|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4",
    re.DOTALL,
)
"""Variables that the docker command itself obeys, or Go's runtime, the loader, git, ssh and the shell that it starts;
values for a build travel in its environment. `BUILDKIT_INLINE_CACHE` and the like are for the build alone."""
Steps = tuple[str | int, ...]
"""Keys and indexes that lead to a value, as far as the document has them."""
Complaint = tuple[Steps, str]
JOINED = (
    "Docker gives no host name to a container in the network of another one, and app containers need one; "
    "name a network that both are on"
)
NO_ADDRESS = {
    "host": "two versions cannot listen on one port of the host's network, so none can boot beside the one that "
    "serves; leave it out (the proxy reaches the container at an address of its own)",
    "none": "the proxy cannot reach a container without a network; leave it out",
}


def cross_checks(config: Config, tree: Map) -> list[Problem]:
    """Problems that no single section shows; sizes are checked once everything else is right."""
    complaints = list(chain.from_iterable(rule(config) for rule in RULES)) or long_values(config)
    places = ((nearest(tree, steps), message) for steps, message in complaints)
    return [Problem(place.position, place.path, message) for place, message in places]


def long_values(config: Config) -> Iterator[Complaint]:
    """The longest word of each container whose words do not fit on a command line."""
    found: dict[Steps, None] = {}
    for words in containers(config):
        # A word is quoted for the command, and the command again for the login shell.
        lengths = {steps: len(quote(quote(f"--env {word}")).encode(errors="replace")) for steps, word in words.items()}
        if sum(lengths.values()) > LONGEST:
            found[max(lengths, key=lambda each: lengths[each])] = None
    for steps in found:
        name, is_clear = steps[-1], steps[-2:-1] == ("clear",)
        what = f"with {name} the clear values" if is_clear else f"with {name} the words of `docker run`"
        way_out = "pass it in a file" if is_clear else "shorten it, or put it into a file"
        limit = f"of a container need more than the {LONGEST} bytes that fit on a command line"
        yield steps, f"too long: {what} {limit}; {way_out}"


def containers(config: Config) -> Iterator[dict[Steps, str]]:
    """Words of each container's ``docker run``, and of the watch, by their steps in the document."""
    everything = dict(words(config))

    def below(*paths: Steps) -> dict[Steps, str]:
        return {steps: word for steps, word in everything.items() if any(steps[: len(path)] == path for path in paths)}

    for role in config.roles:
        path: Steps = ("servers", role.name)
        shared = below(
            ("labels",), ("volumes",), ("logging",), *((*path, key) for key in ("labels", "options", "logging"))
        )
        checks: list[Steps] = [(*path, "healthcheck", "cmd"), ("healthcheck", "cmd")] if role.has_healthcheck else []
        own = [below((*path, "cmd"), *checks)]
        if config.release is not None and role.name == (config.release.role or config.primary_role):
            own.append(below(("release", "cmd")))
        for server in role.servers:
            env = config.env_for(role.name, server.host).clear
            of_host = shared | {place_of(config, role.name, name): f"{name}={env[name]}" for name in env}
            yield from (of_host | each for each in own)
    yield from (below(path) for path in (*(("accessories", name) for name in config.accessories), ("traefik",)))
    yield below(("boot", "watch"))


def words(config: Config) -> Iterator[tuple[Steps, str]]:
    """All values with their steps, as they are on a command line: options repeated for every item of a list."""
    for steps, value in leaves(config):
        if isinstance(value, dict):
            for name, part in value.items():
                items = part if isinstance(part, tuple) else (part,)
                yield (*steps, name), " ".join(f"--{name} {item}" for item in items)
        elif isinstance(value, tuple):
            yield from (((*steps, index), str(item)) for index, item in enumerate(value))
        elif value is not None:
            yield steps, str(value)


def leaves(section: Section, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every value of a section and of those in it, with the steps to it."""
    for name, value in section:
        parts = {(name, key): part for key, part in value.items()} if isinstance(value, dict) else {(name,): value}
        inside = {keys: part for keys, part in parts.items() if isinstance(part, Section)}
        for keys, part in inside.items():
            yield from leaves(part, (*steps, *keys))
        if not inside:
            yield (*steps, name), value


def place_of(config: Config, role: str, name: str) -> Steps:
    """Steps to a clear value of a role: in its own section, else in a tag's, else in the root's."""
    if name in config.servers[role].env.clear:
        return ("servers", role, "env", "clear", name)
    tag = next((tag for tag, env in config.env.tags.items() if name in env.clear), None)
    return ("env", "clear", name) if tag is None or name in config.env.clear else ("env", "tags", tag, "clear", name)


def destination(config: Config) -> Iterator[Complaint]:
    """Require a destination where the file does."""
    if config.require_destination and config.destination is None:
        yield ("require_destination",), f"You must specify a destination{other_destinations(config.source.path)}"


def names(config: Config) -> Iterator[Complaint]:
    """Require names of roles and accessories that can be parts of container names and paths."""
    for section, name in (*(("servers", r) for r in config.servers), *(("accessories", a) for a in config.accessories)):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name, re.ASCII):
            yield (section, name), "a name can only include letters, digits, `_`, `.` and `-`"
        joined = "-".join(filter(None, (config.service, name, config.destination)))
        if len(joined) > LONGEST_JOINED:
            steps = ("service",) if len(config.service) > LONGEST_JOINED else (section, name)
            yield steps, f"{joined[:20]}… has {len(joined)} characters; names on hosts have room for {LONGEST_JOINED}"


def paths(config: Config) -> Iterator[Complaint]:
    """Require paths that a container or a host can have."""
    given = ((steps, value) for steps, value in leaves(config) if steps[-1] in ("asset_path", "cord"))
    yield from ((steps, TOO_LONG) for steps, path in given if path and is_too_long(path))


def images(config: Config) -> Iterator[Complaint]:
    """Require images that registries and Docker take; others would fail on the hosts, under the lock."""
    server = config.registry.server
    wrong = server_problem(server) if server else None
    if wrong is not None:
        yield ("registry", "server"), wrong
    of_app = image_problem(config.image, None if wrong else server)
    if of_app is not None:
        yield ("image",), of_app
    for steps, image in leaves(config):
        if steps[1:] and steps[-1] == "image" and image and (problem := reference_problem(image)) is not None:
            yield steps, problem


def container_names(config: Config) -> Iterator[Complaint]:
    """Require names that Docker takes for containers."""
    if not re.match(r"[A-Za-z0-9]", config.service):
        rule = "should begin with a letter or a digit, as the names of containers do"
        yield ("service",), f"{rule}{_without(config.service)}"
    for name, accessory in config.accessories.items():
        if accessory.service is not None and not CONTAINER_NAME.fullmatch(accessory.service):
            characters = "letters, digits, `_`, `.` and `-`, at least two, the first a letter or a digit"
            rule = f"should be a name that a container may have: {characters}"
            yield ("accessories", name, "service"), f"{rule}{_without(accessory.service)}"


def _without(name: str) -> str:
    bare = re.sub(r"\A[^A-Za-z0-9]+|[^A-Za-z0-9_.-]", "", name)
    return f"; write {bare}" if len(bare) > 1 else ""


def roles(config: Config) -> Iterator[Complaint]:
    """Require the primary role with a host: it decides whether a deploy goes on; other roles need one most often."""
    primary = config.primary_role
    if primary not in config.servers:
        step = "primary_role" if "primary_role" in config.model_fields_set else "servers"
        yield (step,), f"The primary_role {primary} isn't defined{did_you_mean(primary, config.servers)}"
    for name, section in config.servers.items():
        if name == primary and not section.hosts:
            yield ("servers", name), f"No servers specified for the {name} primary_role"
        elif not (section.hosts or config.allow_empty_roles):
            message = f"No servers specified for the {name} role. You can ignore this with allow_empty_roles: true"
            yield ("servers", name), message


def role_hosts(config: Config) -> Iterator[tuple[Steps, Server]]:
    """Every host of every role, with the steps to it."""
    for name, section in config.servers.items():
        for index, server in enumerate(section.hosts):
            yield ("servers", name, "hosts", index, server.host), server


def accessory_hosts(config: Config) -> Iterator[tuple[Steps, Server]]:
    """Every host that an accessory names, with the steps to it."""
    for name, accessory in config.accessories.items():
        if accessory.host is not None:
            yield ("accessories", name, "host", accessory.host.host), accessory.host
        for index, server in enumerate(accessory.hosts or ()):
            yield ("accessories", name, "hosts", index, server.host), server


def tags(config: Config) -> Iterator[Complaint]:
    """Refuse a tag that is not defined, as it would add nothing, and tags anywhere but in the root ``env``."""
    for steps, server in role_hosts(config):
        for index, tag in enumerate(server.tags):
            if tag not in config.env.tags:
                yield (*steps, "tags", index), f"unknown tag: {tag}{did_you_mean(tag, config.env.tags)}"
    for path, env in env_sections(config):
        if env.tags and path != "env":
            yield (*path.split("/"), "tags"), "tags are only allowed in the root env"


def host_settings(config: Config) -> Iterator[Complaint]:
    """Refuse two ways to reach one host."""
    found: dict[str, Server] = {}
    for steps, server in (*role_hosts(config), *accessory_hosts(config)):
        known = found.get(server.host, server)
        for name in sorted(CONNECTION & known.model_fields_set & server.model_fields_set):
            if getattr(known, name) != getattr(server, name):
                yield (*steps, name), f"{server.host} has another {name} elsewhere in this file"
        found[server.host] = known.joined_with(server)


def accessories(config: Config) -> Iterator[Complaint]:
    """Require that an accessory's roles exist and that its hosts have no tags."""
    for name, accessory in config.accessories.items():
        for index, role in enumerate(accessory.roles or ()):
            if role not in config.servers:
                message = f"unknown role: {role}{did_you_mean(role, config.servers)}"
                yield ("accessories", name, "roles", index), message
    for steps, server in accessory_hosts(config):
        if server.tags:
            yield steps[:-1], "hosts of an accessory cannot have tags"


def registry(config: Config) -> Iterator[Complaint]:
    """Require an account for any registry but the built-in one."""
    section = config.registry
    missing = [key for key in ("username", "password") if getattr(section, key) is None]
    if section.is_built_in and not 0 < section.built_in_port < 65536:
        yield ("registry", "server"), "should be a port between 1 and 65535"
    elif missing and not section.is_built_in:
        what = " and ".join(missing)
        yield ("registry",), f"{what} missing; only the built-in registry needs none: leave the section out"


def release(config: Config) -> Iterator[Complaint]:
    """Require that the release command's role exists and has its host."""
    section = config.release
    if section is None:
        return
    role = section.role or config.primary_role
    if role not in config.servers:
        yield ("release", "role"), f"unknown role: {role}{did_you_mean(role, config.servers)}"
        return
    hosts = [server.host for server in config.servers[role].hosts]
    if not hosts:
        yield ("release", "role"), f"role {role} has no host on which the command could run"
    elif section.host is not None and section.host not in hosts:
        yield ("release", "host"), f"{section.host} is no host of role {role}{did_you_mean(section.host, hosts)}"


def replicas(config: Config) -> Iterator[Complaint]:
    """Require a sensible number of replicas, without options that only one container of a host can have."""
    for name, role in config.servers.items():
        if not 1 <= role.replicas <= MOST_REPLICAS:
            yield ("servers", name, "replicas"), f"should be a number from 1 to {MOST_REPLICAS}"
        for option in FOR_ONE if role.replicas > 1 else ():
            if option in role.options:
                message = (
                    f"only one container of a host can have this; leave it out, or set replicas: 1 for role {name}"
                )
                yield ("servers", name, "options", option), message


def own_addresses(config: Config) -> Iterator[Complaint]:
    """Require an address of its own for each container behind the proxy, and networks that app containers can join."""
    for role in config.roles:
        for network, option in networks(role.options).items():
            steps = ("servers", role.name, "options", option)
            if network.startswith("container:"):
                yield steps, JOINED
            elif role.running_traefik and network in NO_ADDRESS:
                yield steps, f"{NO_ADDRESS[network]}, or set `traefik: false` for role {role.name}"


def router_rules(config: Config) -> Iterator[Complaint]:
    """Refuse rules in labels that no Traefik can parse."""
    for steps, part in parts(config):
        rules: list[tuple[Steps, str, str]]
        rules = [((*steps, "labels", name), name, value) for name, value in part.labels.items()]
        if not isinstance(part, Config):
            given = part.options.get("label")
            labels = (str(text).partition("=") for text in (given if isinstance(given, tuple) else (given,)))
            rules += [((*steps, "options", "label"), name, value) for name, _, value in labels]
        for place, name, value in rules:
            if ROUTER_RULE.fullmatch(name) and value.strip() and (problem := rule_problem(value)):
                yield place, f"{problem}; {WAY_OUT}"


def builder(config: Config) -> Iterator[Complaint]:
    """Require known architectures, and refuse values that would control the docker command."""
    section = config.builder
    is_pair = section.multiarch and section.remote is not None
    for key in ("remote", "local") if is_pair else ():
        machine = getattr(section, key)
        if machine is not None and not machine.arch:
            yield ("builder", key), "arch required, such as arch: amd64"
    if section.driver == "docker" and not (is_pair and section.local is None and section.cache is None):
        message = "docker builds at `remote` alone: for one architecture, without `local` and `cache`"
        yield ("builder", "driver"), message
    values: list[tuple[str, str | int, str]] = [("args", name, name) for name in section.args]
    values += [("secrets", index, name) for index, name in enumerate(section.secrets)]
    for key, step, name in values:
        if DOCKERS_OWN.fullmatch(name):
            yield ("builder", key, step), f"{name} controls docker itself and cannot be passed to a build"
        elif key == "secrets" and PROXY.fullmatch(name):
            message = f"{name} controls docker itself and cannot be a secret of a build; put it below `args`"
            yield ("builder", key, step), message


RULES = (
    *(destination, names, paths, images, container_names, roles, tags, host_settings),
    *(accessories, builder, release, registry, replicas, own_addresses, router_rules),
)
