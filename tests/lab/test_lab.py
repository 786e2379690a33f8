from __future__ import annotations

import pytest

from tests.lab import Lab, Load
from tests.lab.names import DOCKER_HOSTS, USERS, here

pytestmark = pytest.mark.lab
APP = here().checkout / "tests/lab/app"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load()


def log_in(lab: Lab, host: str) -> None:
    account = f"--username {lab.registry.username} --password-stdin {lab.registry.server}"
    lab.ssh(host, f"docker login {account}", input=lab.registry.password)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("host", [*DOCKER_HOSTS, "bare1"])
def test_every_user_can_log_in(lab: Lab, host: str, user: str) -> None:
    assert lab.ssh(host, "whoami; hostname", user=user).stdout.split() == [user, host]


def test_users_have_the_rights_of_their_kind(lab: Lab) -> None:
    assert lab.ssh("web1", "docker ps", user="deploy").returncode == 0
    assert lab.ssh("web1", "sudo -n true", user="deploy", check=False).returncode != 0
    assert lab.ssh("web1", "docker ps", user="admin", check=False).returncode != 0
    assert lab.ssh("web1", "sudo -n docker ps", user="admin").returncode == 0


def test_the_registry_asks_for_an_account_and_has_the_labs_images(lab: Lab) -> None:
    lab.reset("web1")
    assert lab.ssh("web1", f"docker pull {lab.traefik_image}", check=False).returncode != 0
    log_in(lab, "web1")
    lab.ssh("web1", f"docker pull --quiet {lab.traefik_image}")
    lab.reset("web1")
    assert lab.ssh("web1", "docker image ls --quiet; ls -A /root/.docker", check=False).stdout == ""


def test_an_app_built_here_serves_there(lab: Lab) -> None:
    image = f"{lab.registry.server}/lab-test:v1"
    args = [f"BASE_IMAGE={lab.base_image}", "APP_VERSION=v1"]
    lab.docker("build", *[word for arg in args for word in ("--build-arg", arg)], "--tag", image, str(APP))
    lab.docker("push", "--quiet", image)
    lab.reset("web1")
    log_in(lab, "web1")
    lab.ssh("web1", f"docker run --detach --name app --publish 80:3000 {image}")
    lab.ssh("web1", "curl --retry 20 --retry-delay 1 --retry-all-errors -sf localhost/up")
    with Load((f"http://{lab.hosts['web1']}/version",), max_requests=100) as load:
        assert lab.ssh("web1", "curl -sf localhost/assets/app-v1.css").stdout
    lab.reset("web1")
    assert load.report.failed == 0
    assert set(load.report.versions) == {"v1"}


def test_a_host_that_lost_its_power_comes_back(lab: Lab) -> None:
    lab.kill("web2")
    assert not lab.is_ready("web2")
    lab.start("web2")
    assert lab.ssh("web2", "docker info --format '{{.Driver}}'").stdout == "overlay2\n"


def test_a_host_is_reached_without_sshd(lab: Lab) -> None:
    lab.exec("web2", "pkill -KILL -x sshd")
    assert lab.exec("web2", "hostname").stdout == "web2\n"
    lab.recreate("web2")


def test_docker_is_started_again_when_it_dies(lab: Lab) -> None:
    before = lab.exec("web2", "pidof dockerd").stdout
    lab.exec("web2", "kill -KILL $(pidof dockerd)")
    lab.wait_until_ready("web2")
    assert lab.exec("web2", "pidof dockerd").stdout != before


def test_the_bare_host_can_install_docker(lab: Lab) -> None:
    assert lab.ssh("bare1", "command -v docker", check=False).returncode != 0
    install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    lab.ssh("bare1", f"{install} docker.io docker-cli && service docker start", timeout=300)
    lab.ssh("bare1", "for try in $(seq 50); do docker info && exit; sleep 0.2; done >/dev/null; exit 1")
    lab.reset("bare1")
