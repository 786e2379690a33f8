"""``kp app``: start, stop, remove, versions, logs."""

from __future__ import annotations

from copy import copy

import click

from kamal_pyinfra.cli.commands.exec import execute
from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.logs import LogOptions, log_options
from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, flag, with_example
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.cli.task import add_commands, run_task

REMOVE = "Stop and remove the app's containers, and its images that no other service uses."
HIDDEN = {
    "remove_containers": ("Remove all stopped containers of the app.", "kp app remove_containers"),
    "remove_images": ("Remove the app's images that no container uses.", "kp app remove_images"),
}
DETAILS = {
    "details": ("Show the app's containers on each host with their health.", "kp app details -r web"),
    "containers": ("Show the app's containers on each host, running or not.", "kp app containers"),
}
LOGS = "Show the last lines of the app's logs, or follow all containers at once, as `kp app logs`."


class KamalGroup(click.Group):
    """A group that finds ``stale_containers`` (Kamal 1.9) as ``stale-containers`` too."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name in either spelling."""
        return super().get_command(ctx, cmd_name.replace("-", "_"))


@click.group(cls=KamalGroup)
@example("kp app version")
def app() -> None:
    """Manage the app on its hosts."""


@app.command()
@changing_options
@example("kp app boot", "kp app boot --version 9f2c1ab")
def boot(options: Options) -> None:
    """Boot the version in service, or --version, as configured; nothing is built."""
    asked = options.run_without_version("app")
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.config.secrets import require_secrets
    from kamal_pyinfra.runner.deploy import deploy
    from kamal_pyinfra.runner.tasks import in_service

    require_secrets(asked.config)
    version = options.version or in_service(asked, asked.hosts)
    run = options.run("app", version=version, is_build_allowed=False)
    with report_for(options, run) as report:
        deploy(run, run.hosts, report)


@app.command()
@changing_options
@example("kp app start -h web1")
def start(options: Options) -> None:
    """Start the containers that were in service last, as they are, and wait until they serve."""
    run_task(options, "app start", version=options.version)


add_commands(app, {"stop": ("Take the app out of service: drain and stop all its containers.", "kp app stop -h web1")})


@app.command("stale_containers")
@flag("-s", "--stop", "stops", help="Drain and stop them.")
@changing_options
@example("kp app stale_containers --stop")
def stale_containers(options: Options, stops: bool) -> None:
    """Show containers that run although another version is in service, or stop them."""
    if stops:
        run_task(options, "app stale_containers")
        return
    run = options.run_without_version("app")
    from kamal_pyinfra.runner.tasks import stale

    found = stale(run, run.hosts)
    for host, container, version in found:
        echo(f"{host}  {container}  version {version} runs, but another one is in service")
    echo("`kp app stale_containers --stop` stops them" if found else "No stale containers")


app.add_command(execute)
add_commands(app, {"remove": (REMOVE, "kp app remove -d staging")})


@app.command("remove_container", hidden=True)
@click.argument("version_argument", metavar="VERSION")
@changing_options
@example("kp app remove_container 9f2c1ab")
def remove_container(options: Options, version_argument: str) -> None:
    """Remove the stopped containers of VERSION."""
    run_task(options, "app remove_container", version=version_argument)


add_commands(app, HIDDEN, hidden=True)


@app.command()
@common_options
@example("kp app version")
def version(options: Options) -> None:
    """Print the version that runs on each host, by role."""
    run = options.run_of_any_version("app")
    from kamal_pyinfra.runner.queries.observe import observe, running_versions

    for host, observed in observe(run, run.hosts).items():
        for role, versions in running_versions(run, observed).items() or {"-": ["none"]}.items():
            echo(f"{host}  {role}  {' '.join(versions)}")


add_commands(
    app,
    DETAILS,
    lambda options, _: print_details(options.run_of_any_version("app"), with_app=True),
    shared=common_options,
)


@app.command()
@common_options
@example("kp app images")
def images(options: Options) -> None:
    """Show the app's images on each host."""
    run = options.run_without_version("app")
    from kamal_pyinfra.runner.queries.observe import observe

    for host, observed in observe(run, run.hosts).items():
        ours = (image for image in observed.images if image.reference.rpartition(":")[0] == run.config.repository)
        lines = sorted(f"{image.reference}  {image.id.removeprefix('sha256:')[:12]}" for image in ours)
        for line in lines or ["none"]:
            echo(f"{host}  {line}")


@app.command()
@log_options
@common_options
@example("kp app logs -n 20 -g ERROR", "kp app logs -f -r web")
def logs(options: Options, log: LogOptions) -> None:
    """Show the last lines of the app's logs, or follow all containers at once."""
    run = options.run_without_version("app")
    log.show(run, run.hosts)


all_logs = copy(logs)
all_logs.help = with_example(LOGS, "kp logs -f -g ERROR")
