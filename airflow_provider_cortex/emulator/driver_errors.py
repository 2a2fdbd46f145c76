"""The errors of DuckDB and of the driver, which fakesnow raises, as SQL errors and back."""

import duckdb
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.sql_errors import SqlError


def of_duckdb(error: duckdb.Error) -> SqlError:
    """Return the error for a value that a function does not accept."""
    # Snowflake's general one (guess error-wording).
    return SqlError(errno=100035, sqlstate="22000", message=str(error))


def of_driver(error: ProgrammingError) -> SqlError:
    """Return an error that fakesnow has raised."""
    return SqlError(
        errno=max(error.errno or 0, 0),
        sqlstate=error.sqlstate or "42601",
        message=str(error.raw_msg),
    )


def as_driver_error(error: SqlError) -> ProgrammingError:
    """Return an error as fakesnow's server expects it."""
    return ProgrammingError(msg=error.message, errno=error.errno, sqlstate=error.sqlstate)
