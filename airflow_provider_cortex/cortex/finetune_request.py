"""The arguments of a new fine-tuning job, validated before it costs anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cortex.cortex import dataset, identifiers, source_query, sql
from airflow_provider_cortex.cortex.dataset import DatasetVersion
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import ArgumentError, QueryError
from airflow_provider_cortex.safe_text import excerpt

# Guess wrapped-query: Cortex reads the data with `SELECT "PROMPT", "COMPLETION" FROM (<query>)`,
# as a real error message shows, so a quoted name in lower case fails the job. If wrong: the
# package rejects a query that Cortex could read.
COLUMNS = ("PROMPT", "COMPLETION")
"""The columns that Cortex reads: ``SELECT "PROMPT", "COMPLETION" FROM (<query>)``."""

EPOCHS = range(1, 11)
"""Source: https://docs.snowflake.com/sql-reference/functions/finetune-create: from 1 to 10."""

EXTRACTION_MODEL = "arctic-extract"
"""
The base model that extracts data from documents. It is trained with datasets.

Source: https://docs.snowflake.com/en/user-guide/snowflake-cortex/arctic-extract-finetuning
"""

EXTRACTION_EPOCHS = range(2, 11)
"""Source: the same: from 2 to 10."""

_BASE_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class FineTuneRequest:
    """
    The arguments of ``FINETUNE('CREATE', …)``, validated and normalized.

    :param model: the name for the tuned model: an identifier, qualified or not, quoted or not.
    :param base_model: the same, or a name such as ``llama3.1-8b``. It is not checked against a
        list, which would soon be out of date.
    :param training_data: a query, a table's name, or the path of a stage; for arctic-extract the
        address of a dataset's version.
    :param validation_data: the same, or None.
    :param options: a mapping, or the text of a JSON object. ``max_epochs`` must be a whole number
        from 1 to 10, for arctic-extract from 2 on; Cortex checks the others.
    :raises ArgumentError: if an argument is invalid.
    """

    model: str
    base_model: str
    training_data: str
    validation_data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        base_model = base_model_name(self.base_model)
        is_extraction = base_model.lower() == EXTRACTION_MODEL
        as_data = _dataset if is_extraction else _data
        epochs = EXTRACTION_EPOCHS if is_extraction else EPOCHS
        for name, value in {
            "model": _model(self.model),
            "base_model": base_model,
            "training_data": as_data("training_data", self.training_data),
            "validation_data": self.validation_data
            and as_data("validation_data", self.validation_data),
            "options": _options(self.options, epochs, base_model),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def queries(self) -> Mapping[str, str]:
        """The data arguments that are queries."""
        return {
            name: text for name, text in self._data.items() if not source_query.is_not_sql(text)
        }

    @property
    def datasets(self) -> Mapping[str, DatasetVersion]:
        """The data arguments that are versions of datasets."""
        return {
            name: DatasetVersion.parse(name, text)
            for name, text in self._data.items()
            if _is_dataset(text)
        }

    @property
    def _data(self) -> Mapping[str, str]:
        data = {"training_data": self.training_data, "validation_data": self.validation_data}
        return {name: text for name, text in data.items() if text}

    @property
    def unknown_options(self) -> list[str]:
        """The options that only Cortex can check."""
        return sorted(self.options.keys() - {"max_epochs"})

    def differences(self, job: FineTuneJob) -> list[str]:
        """
        Return the names of the arguments in which an existing job differs from this request.

        :param job: as DESCRIBE returned it. A field that it lacks does not count as different.
        """
        options = job.options or {}
        pairs = {
            "base_model": (job.base_model and job.base_model.upper(), self.base_model.upper()),
            "training_data": (job.training_data, self.training_data),
            "validation_data": (job.validation_data, self.validation_data),
            # Cortex may add its own defaults.
            "options": (options, {**options, **self.options}),
        }
        return [name for name, (reported, own) in pairs.items() if reported and reported != own]


def check_columns(argument: str, columns: Iterable[str]) -> None:
    """
    Check that a query has the columns that Cortex reads.

    :param columns: the names of its columns, as Snowflake stores them.
    :raises QueryError: if one is missing.
    """
    found = list(columns)
    missing = [name for name in COLUMNS if name not in found]
    if not missing:
        return
    similar = {name.upper(): name for name in found if name.upper() in missing}
    aliases = ", ".join(
        f'"{similar[name]}" AS {name}' if name in similar else f"… AS {name}" for name in missing
    )
    case = " (quoted names are case-sensitive)" * bool(similar)
    columns_found = ", ".join(f'"{name}"' for name in found)
    raise QueryError(
        argument,
        f"has no column {' and no column '.join(missing)}: its columns are"
        f" {excerpt(columns_found)}. Cortex reads PROMPT and COMPLETION, in capitals{case}. Add an"
        f" alias: SELECT {aliases}.",
    )


def base_model_name(name: str) -> str:
    """
    Return the name of a base model: an identifier, or a name such as ``llama3.1-8b``.

    :raises ArgumentError: if it is neither.
    """
    text = name.strip()
    if not _BASE_MODEL.fullmatch(text):
        identifiers.parse_argument("base_model", text)
    return text


def _model(name: str) -> str:
    # Snowflake's page on arctic-extract has names with a leading @.
    identifiers.parse_argument("model", identifiers.without_at(name))
    return name.strip()


def _data(argument: str, text: str) -> str:
    if _is_dataset(text):
        raise ArgumentError(
            argument,
            text,
            f"is a dataset, which only {EXTRACTION_MODEL} is trained with.",
            "Give a query or a table's name, or another base_model.",
        )
    if source_query.is_not_sql(text):
        return source_query.strip(text)
    return source_query.as_query(argument, text)


def _dataset(argument: str, text: str) -> str:
    uri = source_query.strip(text)
    if not _is_dataset(uri):
        raise ArgumentError(
            argument,
            text,
            f"must be the address of a dataset's version, {dataset.FORM}, since base_model is"
            f" {EXTRACTION_MODEL}: it is not trained with a query, a table or a stage.",
            "CortexCreateDatasetOperator makes a dataset from a query, and returns its address.",
        )
    DatasetVersion.parse(argument, uri)
    return uri


def _is_dataset(text: str) -> bool:
    return source_query.strip(text).lower().startswith("snow://")


def _options(options: object, allowed: range, base_model: str) -> dict[str, Any]:
    checked: dict[str, Any] = json.loads(sql.json_text("options", options))
    if "max_epochs" in checked:
        epochs = checked["max_epochs"]
        if isinstance(epochs, str) and epochs.strip().isdecimal():  # a template renders to text
            epochs = int(epochs)
        if type(epochs) is not int or epochs not in allowed:
            of_model = f" of {base_model}" if allowed is EXTRACTION_EPOCHS else ""
            raise ArgumentError(
                "options",
                options,
                f"must have a whole number from {allowed[0]} to {allowed[-1]} as max_epochs{of_model}, or"
                f" no max_epochs; got {excerpt(repr(epochs))}.",
            )
        checked["max_epochs"] = epochs
    return checked
