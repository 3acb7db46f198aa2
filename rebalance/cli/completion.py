"""`rebalance completion`: what makes a shell complete commands, options and their values."""

import click

from rebalance.cli.completing import script
from rebalance.cli.report import emit


@click.command(short_help="Print what makes a shell complete commands, options and values.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands, options, choices, configurations and `-s CLASS=`.

    \b
    rebalance completion bash >> ~/.bashrc
    rebalance completion zsh >> ~/.zshrc
    rebalance completion fish > ~/.config/fish/completions/rebalance.fish
    """
    emit(script(context.find_root().command, shell).strip("\n"))
