"""The help of the program: commands by what they are for, each with its first example."""

import re

import click


class Sections(click.Group):
    """Commands in sections."""

    sections: dict[str, tuple[click.Command, ...]]

    def add_section(self, title: str, *commands: click.Command) -> None:
        """Add commands under a title."""
        self.sections = {**getattr(self, "sections", {}), title: commands}
        for command in commands:
            self.add_command(command)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the sections."""
        return [str(command.name) for commands in self.sections.values() for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        width = max(map(len, self.list_commands(ctx)))
        for title, commands in self.sections.items():
            with formatter.section(title):
                rows = [(f"{command.name:{width}}", command.get_short_help_str(limit=100)) for command in commands]
                formatter.write_dl(rows)
                formatter.indent()
                for command in commands:
                    formatter.write(f"{'':>{formatter.current_indent}}{first_example(command)}\n")
                formatter.dedent()


def first_example(command: click.Command) -> str:
    """Return the first line of a command's help that someone could type."""
    match = re.search(rf"^ *(rebalance {command.name} .*)$", command.help or "", re.MULTILINE)
    return match[1] if match else ""
