"""kp completion: what makes a shell complete kp's words."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.say import say

PROGRAM = "kp"
VARIABLE = "_KP_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, hosts, roles, accessories, destinations and versions.

    \b
    Example:
      kp completion fish > ~/.config/fish/completions/kp.fish
      eval "$(kp completion bash)"    in ~/.bashrc
      eval "$(kp completion zsh)"     in ~/.zshrc
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    script = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    root = click.get_current_context().find_root().command
    say(script(root, {}, PROGRAM, VARIABLE).source())
