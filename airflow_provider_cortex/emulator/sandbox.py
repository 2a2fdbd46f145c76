"""
Keeps the account's SQL away from this machine: it reaches one directory, that of the stages.

DuckDB can read and write files, attach databases, load extensions and use the network. Snowflake
offers none of that to SQL, and a client that can open a session here must not get it either.
"""

from pathlib import Path

from duckdb import DuckDBPyConnection

from airflow_provider_cortex.emulator.sql_errors import SqlError, insufficient_privileges

# What DuckDB says when one of the settings below forbids something.
_REFUSALS = ("disabled by configuration", "disabled through configuration", "has been locked")


def confine(database: DuckDBPyConnection, *, to: Path) -> None:
    """
    Let the SQL of *database* reach nothing but one directory, irreversibly.

    What fakesnow needs remains possible: databases in memory, ``SET schema`` and variables.
    A confined database stays as it is.
    """
    (locked,) = database.execute("SELECT current_setting('lock_configuration')").fetchall()[0]
    if locked:
        return
    database.execute(f"""
        SET GLOBAL home_directory = '{to}';
        SET GLOBAL secret_directory = '{to / "secrets"}';
        SET GLOBAL extension_directory = '{to / "extensions"}';
        SET GLOBAL temp_directory = '{to / "spilled"}';
        SET GLOBAL allow_persistent_secrets = false;
        SET GLOBAL autoload_known_extensions = false;
        SET GLOBAL autoinstall_known_extensions = false;
        SET GLOBAL python_enable_replacements = false;
        SET GLOBAL allowed_directories = ['{to}'];
        SET GLOBAL enable_external_access = false;
        SET GLOBAL lock_configuration = true;
    """)


def refusal(message: str) -> SqlError | None:
    """Return Snowflake's error instead of DuckDB's *message*, if the sandbox is its reason."""
    if any(words in message for words in _REFUSALS):
        return insufficient_privileges()
    return None
