"""Bring the lab up and take it down."""

from __future__ import annotations

import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

from tests.lab import engine, hosts, images, kamal_proxy_image, registry
from tests.lab.docker import Docker
from tests.lab.images import Images
from tests.lab.lab import Lab
from tests.lab.names import HOSTS, USERS, Names, addresses, parse_routes, subnet_candidates
from tests.lab.process import LabError, as_root, locked, run, say, wait_for


def up(names: Names) -> bool:
    """Bring the lab up; return whether there was anything to do."""
    with locked(Path(__file__).parent):
        docker = Docker(engine.ensure())
        wanted = images.wanted()
        if is_healthy(names, docker, wanted):
            return False
        clear(names, docker)
        with locked(engine.machine_lock_directory()):
            images.build_missing(docker, wanted)
            chosen, source = kamal_proxy_image.choose(docker, wanted)
            seeded = registry.seed(docker, names, chosen)
        lab = _start(names, docker, chosen, seeded, wanted.digest, source)
        wait_for("the registry to answer", lambda: _registry_answers(lab), seconds=30)
        lab.wait_until_ready()
        _log_in(lab)
        lab.save()
        with locked(engine.machine_lock_directory()):
            images.remove_stale(docker, chosen)
    return True


def down(names: Names) -> None:
    """Remove every trace of the lab but the cached images."""
    with locked(Path(__file__).parent):
        if (address := engine.running()) is not None:
            docker = Docker(address)
            clear(names, docker)
        _remove_cgroups(names)
        shutil.rmtree(names.state, ignore_errors=True)
        engine.stop_if_unused()


def clean(names: Names) -> None:
    """Take the lab down and drop the cached images too."""
    with locked(Path(__file__).parent):
        if (address := engine.running()) is not None:
            clear(names, Docker(address))
            images.remove(Docker(address), images.built(Docker(address)))
            images.remove_broken(Docker(address))
    down(names)
    engine.drop_cache()


def is_healthy(names: Names, docker: Docker, wanted: Images) -> bool:
    """Tell whether this lab is up, made of today's recipes, and every part of it answers."""
    try:
        lab = Lab.load(names.state)
    except (LabError, TypeError, ValueError):
        return False
    if lab.digest != wanted.digest or lab.docker_host != docker.host:
        return False
    if lab.kamal_proxy_asked != kamal_proxy_image.asked():
        return False
    containers = docker.lines("ps", "--filter", f"label={names.label}", "--format", "{{.Names}} {{.State}}")
    if containers.count("running") != len(HOSTS) + 1:
        return False
    with ThreadPoolExecutor() as pool:
        return _registry_answers(lab) and all(pool.map(lab.is_ready, HOSTS))


def clear(names: Names, docker: Docker) -> None:
    """Remove what is there of this lab, and the images built for its registry."""
    docker.remove_labelled(names.label)
    if (names.state / "hosts.json").exists():
        server = f"127.0.0.1:{hosts.read_plan(names.state).registry_port}/"
        images.remove(docker, [image for image in docker.references() if image.startswith(server)])
    shutil.rmtree(names.state, ignore_errors=True)


def _start(names: Names, docker: Docker, wanted: Images, seeded: str, digest: str, kamal_proxy: str) -> Lab:
    """Start the registry and the hosts, and describe them."""
    say("starting the hosts")
    names.state.mkdir(mode=0o700)
    subnet = _create_network(names, docker)
    places = addresses(subnet)
    account = registry.new_account(names.number, secrets.token_hex(8))
    registry.start(docker, names, seeded, account, places["registry"])
    plan = hosts.HostPlan(
        images={host: wanted[hosts.image_names(host)] for host in HOSTS},
        addresses=places,
        registry_port=str(account.port),
        key=_new_key(names.state / "id_ed25519", "lab").with_suffix(".pub").read_text().strip(),
        host_key=_new_key(names.state / "host_key", "lab host").read_text().strip(),
    )
    hosts.write_plan(names.state, plan)
    hosts.start_all(docker, names, plan)
    references = registry.tag_for(docker, account, wanted)
    return Lab(
        name=names.lab,
        state=names.state,
        network=names.lab,
        subnet=str(subnet),
        hosts={host: places[host] for host in HOSTS},
        users=USERS,
        key=names.state / "id_ed25519",
        known_hosts=_known_hosts(names, [places[host] for host in HOSTS]),
        registry=account,
        docker_host=docker.host,
        docker_config=names.state / "docker",
        base_image=references["base"],
        traefik_image=references["traefik"],
        kamal_proxy_image=references["basecamp/kamal-proxy"],
        kamal_proxy_asked=kamal_proxy_image.asked(),
        kamal_proxy=kamal_proxy,
        digest=digest,
    )


def _create_network(names: Names, docker: Docker) -> IPv4Network:
    routes = Path("/proc/net/route")
    routed = parse_routes(routes.read_text()) if routes.exists() else []
    for subnet in subnet_candidates(names.number, routed):
        flags = ("--subnet", str(subnet), "--label", names.label)
        if docker("network", "create", *flags, names.lab, check=False).returncode == 0:
            return subnet
    raise LabError("no free network for the lab: see `docker network ls`")


def _new_key(path: Path, comment: str) -> Path:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path


def _known_hosts(names: Names, hosts_addresses: list[str]) -> Path:
    key = " ".join((names.state / "host_key.pub").read_text().split()[:2])
    path = names.state / "known_hosts"
    path.write_text("".join(f"{address} {key}\n" for address in hosts_addresses))
    return path


def _registry_answers(lab: Lab) -> bool:
    return registry.answers(lab.registry.port, lab.registry)


def _log_in(lab: Lab) -> None:
    """Let this machine's `docker push` in, with a configuration of the lab's own."""
    lab.docker_config.mkdir(exist_ok=True)
    account = ("--username", lab.registry.username, "--password-stdin")
    lab.docker("login", *account, lab.registry.server, input=lab.registry.password)
    # Docker now learns where the base image's layers are, and mounts them when an app is pushed.
    lab.docker("push", "--quiet", lab.base_image)
    lab.docker("push", "--quiet", lab.kamal_proxy_image)


def _remove_cgroups(names: Names) -> None:
    """Remove the empty control groups that hosts' engines made below the lab's."""
    for folder in Path("/sys/fs/cgroup").glob(f"**/{names.lab}"):
        run(as_root(["find", str(folder), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]), check=False)
