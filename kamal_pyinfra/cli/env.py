"""kp env …"""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options


@click.group()
def env() -> None:
    """Write or remove the files with secrets, without a deploy.

    \b
    Example:
      kp env push
    """


@env.command()
@changing_options
def push(options: Options) -> None:
    """Write the env files that differ to the hosts; the next deploy puts them into effect.

    \b
    Example:
      kp env push -d staging
    """
    run, target = options.run_without_version("env")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import push as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


@env.command()
@changing_options
def delete(options: Options) -> None:
    """Remove the env files from the hosts; what runs keeps running.

    \b
    Example:
      kp env delete
    """
    run, target = options.run_without_version("env")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import delete as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)
