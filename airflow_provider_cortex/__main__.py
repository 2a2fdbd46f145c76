"""
``python -m airflow_provider_cortex jobs …``, for every Airflow version.

Airflow 3.2 and later have the same commands as ``airflow cortex jobs …``.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airflow.cli.cli_config import CLICommand, GroupCommand

from airflow_provider_cortex.cli.definition import get_cli_commands

if TYPE_CHECKING:
    # argparse has no public name for it.
    from argparse import _SubParsersAction


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)


def get_parser() -> ArgumentParser:
    """Return a parser with the commands and arguments of ``airflow cortex``."""
    (cortex,) = get_cli_commands()
    parser = ArgumentParser(prog="python -m airflow_provider_cortex", description=cortex.help)
    _fill(parser, cortex)
    return parser


def _fill(parser: ArgumentParser, command: CLICommand) -> None:
    """Add a command's arguments or subcommands to its parser."""
    if isinstance(command, GroupCommand):
        subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
        _add_commands(subparsers, command.subcommands)
        return
    for argument in command.args:
        argument.add_to_parser(parser)
    parser.set_defaults(func=command.func)


def _add_commands(
    subparsers: _SubParsersAction[ArgumentParser], commands: Iterable[CLICommand]
) -> None:
    for command in commands:
        parser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description or command.help,
            epilog=command.epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )
        _fill(parser, command)


if __name__ == "__main__":
    main()
