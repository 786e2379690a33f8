"""What is done to a scene: each function is one fault, and has it healed after the command."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.e2e.project import eventually
from tests.faults.underway import Underway

if TYPE_CHECKING:
    from tests.faults.scene import Scene

Injection = Callable[["Scene"], object]
NO_TIME = 60.0


def sends(number: int) -> Injection:
    """A signal to the deploying process."""
    return lambda scene: scene.run.send(number)


def cuts_connections(scene: Scene) -> None:
    """End every SSH connection of the victim; new ones are let in."""
    scene.on_host("pkill -9 -x sshd-session", check=False)


def drops_packets(scene: Scene) -> None:
    """Throw SSH packets away without an answer, as a dead network does; the app's traffic goes on."""
    rule = "-p tcp --dport 22 -j DROP"
    scene.on_host(f"iptables -I INPUT {rule}")
    # The host never heard that the connection ended; its sshd would keep it until a keepalive of its own fails.
    scene.heals(lambda: scene.on_host(f"iptables -D INPUT {rule}; pkill -x sshd-session; true"))


def reboots(scene: Scene) -> None:
    """Turn the victim off and on."""
    scene.lab.docker("restart", "--time", "0", scene.lab.container(scene.victim))
    scene.heals(lambda: scene.lab.wait_until_ready(scene.victim))


def kills_docker(scene: Scene) -> None:
    """SIGKILL dockerd; the host starts it again within seconds."""
    scene.on_host("pkill -9 -x dockerd")
    scene.heals(lambda: scene.lab.wait_until_ready(scene.victim))


def hangs_docker(scene: Scene) -> None:
    """SIGSTOP dockerd: it accepts connections and never answers."""
    scene.on_host("pkill -STOP -x dockerd")
    scene.heals(lambda: scene.on_host("pkill -CONT -x dockerd"))


def stops_registry(scene: Scene) -> None:
    """No registry answers."""
    registry = scene.lab.container("registry")
    scene.lab.docker("stop", "--time", "0", registry)

    def back() -> None:
        from tests.lab.registry import answers

        scene.lab.docker("start", registry)
        account = scene.lab.registry
        eventually(lambda: answers(account.port, account), seconds=30, what="the registry")

    scene.heals(back)


def forgets_image(scene: Scene) -> None:
    """Nobody pushed the version: the tag is deployed under a name that the registry does not have."""
    pushed = scene.new
    scene.new = f"{pushed}-missing"
    scene.heals(lambda: scene.stage.new_version(pushed, scene.new))


def pushes_foreign_architecture(scene: Scene) -> None:
    """The version is an image of another processor: no program in it can be executed here."""
    folder = scene.stage.project.folder / "foreign"
    folder.mkdir()
    # The head of an ELF file for a machine that does not exist here.
    (folder / "app").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00\x01\x00\x00\x00" + bytes(64))
    (folder / "app").chmod(0o755)
    (folder / "Dockerfile").write_text(
        f"FROM {scene.lab.base_image}\nLABEL service=shop\nRUN mkdir -p /app/public/assets\n"
        'COPY app /foreign\nENTRYPOINT ["/foreign"]\n'
    )
    reference = f"{scene.lab.registry.server}/shop:{scene.new}"
    scene.lab.docker.build(reference, folder)
    scene.lab.docker("push", "--quiet", reference)
    shutil.rmtree(folder)

    def mend() -> None:
        for host in ("web1", "web2", "job1"):
            scene.on_host(f"docker image rm {reference} || true", host, check=False)
        scene.stage.new_version("dev", scene.new)

    scene.heals(mend)


def fills_home(scene: Scene) -> None:
    """The disk that .kamal lies on has no room left."""
    scene.on_host(
        "mkdir -p /mnt/full && mount -t tmpfs -o size=1m,nr_inodes=500 none /mnt/full && cp -a .kamal/. /mnt/full/"
        " && mount --bind /mnt/full .kamal && { head -c 2000000 /dev/zero > .kamal/filler;"
        " i=0; while touch .kamal/filler$i; do i=$((i + 1)); done; true; } 2> /dev/null"
    )
    scene.heals(lambda: scene.on_host("umount .kamal; umount /mnt/full; rmdir /mnt/full"))


def fills_docker(scene: Scene) -> None:
    """There is no room for what Docker pulls."""
    folder = scene.stage.project.folder / "heavy"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM {scene.lab.registry.server}/shop:dev\nRUN head -c 3000000 /dev/urandom > /heavy-{scene.new}\n"
    )
    reference = f"{scene.lab.registry.server}/shop:{scene.new}"
    scene.lab.docker.build(reference, folder)
    scene.lab.docker("push", "--quiet", reference)
    shutil.rmtree(folder)
    scene.on_host("mount -t tmpfs -o size=64k none /var/lib/docker/tmp")
    scene.heals(lambda: scene.on_host("umount /var/lib/docker/tmp"))


def configures(change: Callable[[dict[str, Any]], object]) -> Injection:
    """A configuration that cannot work; mended before the rerun."""

    def inject(scene: Scene) -> None:
        scene.stage.change(change)
        scene.heals(lambda: scene.stage.project.write(scene.stage.config()))

    return inject


def app_env(role_host: str = "", **clear: str) -> Injection:
    """Switches of the sample app; only on one host if it is named."""

    def change(scene: Scene) -> None:
        def edit(config: dict[str, Any]) -> None:
            if not role_host:
                config["env"]["clear"].update(clear)
                return
            config["env"]["tags"] = {"sick": clear}
            hosts = config["servers"]["web"]["hosts"]
            address = scene.lab.hosts[role_host]
            config["servers"]["web"]["hosts"] = [{name: "sick"} if name == address else name for name in hosts]

        configures(edit)(scene)

    return change


def crashes_at_the_gate(scene: Scene) -> None:
    """One host's new container ends once it is healthy, while the worker's has yet to stay up for a while."""
    scene.stage.change(lambda config: config.update(readiness_delay=6))
    app_env("web2", APP_CRASH_AFTER="4")(scene)


def options(role: str, **values: Any) -> Injection:
    """Options of `docker run` for a role."""
    return configures(lambda config: config["servers"][role].update(options=values))


def takes_port(scene: Scene) -> None:
    """Something else listens on the port that the new container wants."""
    scene.on_host("socat TCP-LISTEN:8099,fork,reuseaddr SYSTEM:true & echo $! > /run/taker.pid")
    scene.heals(lambda: scene.on_host("kill $(cat /run/taker.pid); rm /run/taker.pid"))
    options("job", publish="8099:8099")(scene)


def serves_stubborn(scene: Scene) -> None:
    """The version that serves ignores TERM."""
    stage = scene.stage
    stage.change(lambda config: config["env"]["clear"].update(APP_IGNORE_TERM="1"))
    stage.project.kp("deploy", "-P", version=scene.old)
    stage.project.write(stage.config())


def wedges_old(scene: Scene) -> None:
    """The shim of the old container hangs: whoever asks it to stop or for its health waits for ever."""
    shim = f"$(docker inspect --format '{{{{.Id}}}}' shop-web-{scene.old})"
    found = scene.on_host(f'pgrep -f "containerd-shim.*{shim}"').split()[0]  # Docker may not answer later
    scene.heals(lambda: scene.on_host(f"kill -CONT {found}", check=False))
    scene.on_host(f"kill -STOP {found}")


def stops_proxy(scene: Scene) -> None:
    """The proxy of the victim is stopped, as by hand."""
    scene.on_host("docker stop -t 0 traefik")


def kills_proxy(scene: Scene) -> None:
    """SIGKILL the proxy's process; its restart policy brings it back."""
    scene.on_host("kill -9 $(docker inspect --format '{{.State.Pid}}' traefik)")


def skews_clock(scene: Scene) -> None:
    """`date` of the victim is ten minutes ahead; Docker's own clock cannot be another than the machine's."""
    scene.on_host(
        'printf \'#!/bin/sh\\nexec /usr/bin/date -d "+600 seconds" "$@"\\n\' > /usr/local/bin/date'
        " && chmod 755 /usr/local/bin/date"
    )
    scene.heals(lambda: scene.on_host("rm /usr/local/bin/date"))


def deploys_another(scene: Scene) -> None:
    """A second deploy of another version while the first is under way: it must be turned away."""
    done = scene.stage.project.kp("deploy", "-P", version=f"{scene.new}-other", code=None)
    text = done.stdout + done.stderr
    if done.returncode != 4 or "lock" not in text:
        raise AssertionError(f"the second deploy exited {done.returncode}:\n{text[-2000:]}")


def rolls_back_meanwhile(scene: Scene) -> None:
    """A rollback is under way, and holds the lock, when the deploy starts."""
    stage = scene.stage
    earlier, stage.version = stage.version, stage.new_version()
    stage.project.kp("deploy", "-P", version=stage.version)
    scene.also_serves.add(stage.version)
    rollback = Underway(stage.project.start("kp", "rollback", earlier, version=stage.version))
    rollback.await_phase(scene.lab, "prepare", "web1", new="", old="")
    rollback.send(signal.SIGSTOP)

    def finish() -> None:
        rollback.send(signal.SIGCONT)
        ended = rollback.end(NO_TIME)
        if ended.code != 0:
            raise AssertionError(f"the rollback exited {ended.code}:\n{ended.said}")

    scene.heals(finish)


def locks_as_kamal(scene: Scene) -> None:
    """Kamal 1.9 holds the lock."""
    details = "TG9ja2VkIGJ5OiBBbm4gYXQgMjAyNC0wNS0wMVQxMDowMDowMFoKVmVyc2lvbjogYWJjCk1lc3NhZ2U6IGZpeGluZw=="
    scene.on_host(f"mkdir .kamal/locks/shop && echo {details} > .kamal/locks/shop/details", "web1")
    scene.heals(lambda: scene.stage.project.kp("lock", "release", "--force", version=scene.new))


def fails_hook(name: str) -> Injection:
    """A hook ends with an error."""

    def inject(scene: Scene) -> None:
        path = scene.stage.project.folder / ".kamal/hooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\necho not today >&2\nexit 7\n")
        path.chmod(0o755)
        scene.heals(path.unlink)

    return inject


def unsets_secret(scene: Scene) -> None:
    """A secret that deploy.yml names is not set here."""
    env = scene.stage.project.env
    value = env.pop("TOP_SECRET")
    scene.heals(lambda: env.update(TOP_SECRET=value))
