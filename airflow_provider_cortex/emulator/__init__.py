"""
Snowflake Cortex, emulated on this machine on top of fakesnow.

``docs/reference/emulator.md`` explains its use.

Nothing in here imports the rest of the package. If the emulator shared code with what it
tests, both would make the same mistakes.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.emulator import Emulator
    from airflow_provider_cortex.emulator.faults import Fault, Faults
    from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
    from airflow_provider_cortex.emulator.life import Life
    from airflow_provider_cortex.emulator.query_registry import (
        AsyncQuery,
        QueryRegistry,
        QueryStatus,
    )
    from airflow_provider_cortex.emulator.sql_errors import SqlError
    from airflow_provider_cortex.emulator.tls import Certificates
    from airflow_provider_cortex.emulator.tracked_job import Job, JobError, JobState, JobStatus
    from airflow_provider_cortex.emulator.traffic import Statement

__all__ = [
    "AsyncQuery",
    "Certificates",
    "Emulator",
    "Fault",
    "Faults",
    "Job",
    "JobError",
    "JobRegistry",
    "JobState",
    "JobStatus",
    "Life",
    "QueryRegistry",
    "QueryStatus",
    "SqlError",
    "Statement",
]

_MODULES = {
    "AsyncQuery": "query_registry",
    "Certificates": "tls",
    "Emulator": "emulator",
    "Fault": "faults",
    "Faults": "faults",
    "Job": "tracked_job",
    "JobError": "tracked_job",
    "JobRegistry": "jobs_and_models",
    "JobState": "tracked_job",
    "JobStatus": "tracked_job",
    "Life": "life",
    "QueryRegistry": "query_registry",
    "QueryStatus": "query_registry",
    "SqlError": "sql_errors",
    "Statement": "traffic",
}


def __getattr__(name: str) -> object:
    # Imported when used: each run of pytest imports this package, for its plugin, and DuckDB,
    # sqlglot and the driver take seconds to load.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        message = "The emulator needs this package's extra: airflow-provider-cortex[emulator]"
        raise ImportError(message) from error
    return getattr(module, name)
