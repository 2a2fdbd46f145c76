"""
Snowflake Cortex on this machine, on top of fakesnow. See README.md beside this file.

Nothing here imports the rest of the package: a fake that shares code with what it is there
to test can only agree with it.
"""

from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator.life import Life

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.server import Emulator

__all__ = ["Emulator", "Life"]


def __getattr__(name: str) -> object:
    # DuckDB, sqlglot and the driver take seconds to import: only for who starts one.
    if name == "Emulator":
        try:
            from airflow_provider_cortex.emulator.server import Emulator
        except ModuleNotFoundError as error:
            message = "The emulator needs: pip install 'airflow-provider-cortex[emulator]'"
            raise ImportError(message) from error
        return Emulator
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
