"""``python -m airflow_provider_cortex jobs …``: what ``airflow cortex jobs …`` is on Airflow 3.2 and later."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airflow.cli.cli_config import CLICommand, GroupCommand

from airflow_provider_cortex.cli.definition import get_cli_commands

if TYPE_CHECKING:
    # It has no public name.
    from argparse import _SubParsersAction


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    parsed = parser().parse_args(arguments)
    parsed.func(parsed)


def parser() -> ArgumentParser:
    """Return a parser of the same commands and arguments."""
    (cortex,) = get_cli_commands()
    top = ArgumentParser(prog="python -m airflow_provider_cortex", description=cortex.help)
    _nest(top, cortex)
    return top


def _nest(above: ArgumentParser, command: CLICommand) -> None:
    """Give a parser what its command has: arguments, or commands of its own."""
    if isinstance(command, GroupCommand):
        below = above.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
        _add(below, command.subcommands)
        return
    for argument in command.args:
        argument.add_to_parser(above)
    above.set_defaults(func=command.func)


def _add(parsers: _SubParsersAction[ArgumentParser], commands: Iterable[CLICommand]) -> None:
    for command in commands:
        _nest(
            parsers.add_parser(
                command.name,
                help=command.help,
                description=command.description or command.help,
                epilog=command.epilog,
                formatter_class=RawDescriptionHelpFormatter,
            ),
            command,
        )


if __name__ == "__main__":
    main()
