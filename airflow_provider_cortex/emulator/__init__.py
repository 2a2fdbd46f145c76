"""
Snowflake Cortex, emulated on this machine on top of fakesnow.

``docs/reference/emulator.md`` explains its use.

Nothing in here imports the rest of the package. If the emulator shared code with what it
tests, both would make the same mistakes.
"""

from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator.life import Life

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.emulator import Emulator

__all__ = ["Emulator", "Life"]


def __getattr__(name: str) -> object:
    # DuckDB, sqlglot and the driver take seconds to import. Only a running emulator needs them.
    if name == "Emulator":
        try:
            from airflow_provider_cortex.emulator.emulator import Emulator
        except ModuleNotFoundError as error:
            message = "The emulator needs this package's extra: airflow-provider-cortex[emulator]"
            raise ImportError(message) from error
        return Emulator
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
