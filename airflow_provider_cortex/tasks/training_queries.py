"""The queries for training and validation data: compile them, and measure what they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.finetune_request import COLUMNS, check_columns
from airflow_provider_cortex.errors import (
    ArgumentError,
    CortexError,
    QueryError,
    RejectedError,
)

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.dataset import DatasetVersion
    from airflow_provider_cortex.cortex.training_data_sql import DataCheck, DataFigures
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


def validate(hook: CortexHook, queries: Mapping[str, str]) -> None:
    """
    Have Snowflake compile queries as Cortex will run them.

    :param queries: by the arguments that have them.
    :raises QueryError: if one of them would fail a job.
    """
    for argument, query in queries.items():
        try:
            hook.columns(argument, query, *COLUMNS)
        except RejectedError as rejection:
            _explain(hook, argument, query)
            raise QueryError(
                argument, f"cannot be read: {rejection.snowflake_message}"
            ) from rejection


def check_datasets(hook: CortexHook, datasets: Mapping[str, DatasetVersion], log: Log) -> None:
    """
    Check that versions of datasets exist. If Snowflake cannot say so, a warning is logged.

    :param datasets: by the arguments that have them.
    :raises ArgumentError: if one of them does not exist.
    """
    for argument, found in datasets.items():
        try:
            name = hook.namespace().full_name_of(argument, identifiers.written(found.dataset))
            exists = found.version in hook.dataset_versions(name, found.version)
        except CortexError as error:
            log.warning("Cannot find out whether %s %s exists: %s", argument, found.uri, error)
            continue
        if not exists:
            raise ArgumentError(
                argument,
                found.uri,
                f"{found.uri} does not exist: the dataset has no such version.",
                "SHOW VERSIONS IN DATASET lists those that it has. Their case matters.",
            )


def measure(hook: CortexHook, check: DataCheck, argument: str) -> DataFigures:
    """Have Snowflake measure a data set, and return its figures. No row of it comes here."""
    row = hook.row(check.statement(argument), width=check.width, about=f"check {argument}")
    return check.figures(row)


def _explain(hook: CortexHook, argument: str, query: str) -> None:
    """
    Raise why PROMPT and COMPLETION cannot be read from a query, if that can be found out.
    """
    try:
        columns = hook.columns(argument, query)
    except RejectedError as rejection:
        raise QueryError(
            argument,
            f"is not a query that Snowflake can run here: {rejection.snowflake_message}",
        ) from rejection
    check_columns(argument, columns)
