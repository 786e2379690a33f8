"""kp config."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say


@click.command()
@common_options
def config(options: Options) -> None:
    """Print the configuration as it takes effect, without secrets; connects to no host.

    \b
    Example:
      kp config -d staging
    """
    import yaml

    loaded = options.config()
    say(yaml.safe_dump(loaded.to_public_dict(), sort_keys=False, allow_unicode=True), nl=False)
