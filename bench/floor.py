"""What Docker and the app need without a controller: the same docker commands in one shell script on one host.

A web container and a worker are replaced: run the new web container, wait until it is healthy, run the new worker,
let it stay up for a second (``readiness_delay``), cut the old cord, wait until Docker calls the old container
unhealthy, stop both old ones. The health settings are those that `kp` gives its containers. The old ones have run
for a while: how far their next health check is away is left to chance, as it is in a deploy.

With the old container's check standing by, as a deploy has it, a cut cord shows at once. That is a floor of its own.

Where several hosts share this machine's processors, Docker needs longer for each. That floor is taken with all hosts
at once, each with its own containers: web hosts wait that second without a worker, workers wait for nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from shlex import quote

from kamal_pyinfra.config import load_config
from kamal_pyinfra.plan.desired import app_container
from kamal_pyinfra.plan.state.desired import Health
from kamal_pyinfra.shell.script import group
from tests.conftest import a_run
from tests.e2e.project import Project

BOTH = ("web", "job")
SCRIPT = """set -e
clear() {{ docker ps -aq --filter label=kp.floor | xargs -r docker rm -f > /dev/null; }}
is() {{ [ "$(docker inspect --format '{{{{.State.Health.Status}}}}' "floor-web-$1")" = "$2" ]; }}
web() {{
  mkdir -p "$HOME/floor/$1"; touch "$HOME/floor/$1/cord"
  docker run --detach --name "floor-web-$1" --label kp.floor=1 {env} --health-cmd {check} --health-interval 1s \\
    --health-retries 1 --health-start-period 10s --health-start-interval 200ms \\
    --volume "$HOME/floor/$1:/tmp/kamal-cord" {image} > /dev/null
  until is "$1" healthy; do sleep 0.1; done
}}
job() {{
  docker run --detach --name "floor-job-$1" --label kp.floor=1 {env} {image} python app.py worker > /dev/null
  sleep 1
}}
drain() {{
  rm "$HOME/floor/old/cord"
  until is old unhealthy; do sleep 0.1; done
}}
clear
{old}
sleep "0.$(shuf -i 10-99 -n 1)"
began=$(date +%s%N)
{stand_by}
{new}
docker stop {names} > /dev/null
echo $(( ( $(date +%s%N) - began ) / 1000000 ))
clear
"""
NEW = {BOTH: "web new; job new; drain", ("web",): "web new; sleep 1; drain", ("job",): "job new"}


def floor_script(project: Project, roles: tuple[str, ...] = BOTH, *, stands_by: bool = False) -> str:
    """The script for the project's first version.

    Args:
        project: what is deployed.
        roles: whose containers run on the host.
        stands_by: the old container's check watches its cord.
    """
    config = load_config(project.folder / "config/deploy.yml", environ=project.environment("v1"))
    container = app_container(a_run(config, "v1"), config.roles[0], config.primary_host)
    health = container.health or Health(command="true", interval="1s")
    return SCRIPT.format(
        image=quote(container.image),
        check=quote(health.retrying_command),
        env=f"--env-file .kamal/env/roles/shop-{roles[0]}.env",
        old="; ".join(f"{role} old" for role in roles),
        stand_by=group("stand_by floor/old") if stands_by else ":",
        new=NEW[roles],
        names=" ".join(f"floor-{role}-old" for role in roles),
    )


def floor(project: Project, script: str, host: str = "web1") -> float:
    """Run the script on a host; seconds."""
    return int(project.lab.ssh(host, script).stdout.split()[-1]) / 1000


def floor_at_once(project: Project, roles: Mapping[str, Collection[str]]) -> float:
    """Run on every host what its roles need; seconds of the slowest.

    Args:
        project: what is deployed.
        roles: by host.
    """
    scripts = {host: floor_script(project, tuple(each)) for host, each in roles.items()}
    with ThreadPoolExecutor(len(scripts)) as pool:
        return max(pool.map(lambda host: floor(project, scripts[host], host), scripts))
