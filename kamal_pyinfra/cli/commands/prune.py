"""``kp prune``, ``remove``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, example, with_example
from kamal_pyinfra.cli.task import add_tasks, confirm_row, row, run_row, yes_option


@click.group()
@example("kp prune all")
def prune() -> None:
    """Remove what is neither in service nor kept for a rollback."""


RETAINING = {
    "all": "Remove surplus containers, the images that only these used, and leftover cords and assets.",
    "containers": "Remove stopped containers beyond those to keep, and leftover cords and assets.",
}
"""Commands that keep some containers for a rollback, and what they do."""


def _add(name: str, text: str) -> None:
    @prune.command(name, help=with_example(text, f"kp prune {name} --retain 2"))
    @click.option(
        "--retain", type=int, metavar="N", help="Stopped containers to keep of each role [default: retain_containers]."
    )
    @changing_options
    def retaining(options: Options, retain: int | None) -> None:
        run, target = options.run_without_version("prune")

        from kamal_pyinfra.runner.tasks import retained

        run_row(options, row(f"prune {name}", retain=retained(run, retain)), run, target.hosts)


for name, text in RETAINING.items():
    _add(name, text)

IMAGES = "Remove images of the app that no container uses, and those that lost their tag."
add_tasks(prune, {"images": (IMAGES, "kp prune images")})


@prune.command()
@yes_option
@changing_options
@example("kp prune accessories")
def accessories(options: Options, is_confirmed: bool) -> None:
    """Remove accessories that left the configuration; their data stays."""
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.runner.tasks import accessory_run

    run, task = accessory_run(run, (), "remove"), row("prune accessories")
    if confirm_row(options, task, run, target.hosts, is_confirmed=is_confirmed):
        run_row(options, task, run, target.hosts)


@click.command()
@click.option("--purge", is_flag=True, help="Remove the audit log too, and folders that are empty then.")
@yes_option
@changing_options
@example("kp remove", "kp remove -y --purge")
def remove(options: Options, purge: bool, is_confirmed: bool) -> None:
    """Remove the app, its images and secrets, and the proxy unless another service uses it."""
    run, target = options.run_without_version("remove")
    if confirm_row(options, row("remove", purges=purge), run, target.hosts, is_confirmed=is_confirmed):
        run_row(options, row("remove"), run, target.hosts, purges=purge)
