"""The arguments of a new fine-tuning job, checked before it costs anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cortex.cortex import identifiers, source_query, sql
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import ArgumentError, QueryError, excerpt

COLUMNS = ("PROMPT", "COMPLETION")
"""What Cortex reads of the data: ``SELECT "PROMPT", "COMPLETION" FROM (<query>)``."""

EPOCHS = range(1, 11)
"""https://docs.snowflake.com/sql-reference/functions/finetune-create: 1 to 10, inclusive."""

_BASE_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneRequest:
    """
    The arguments of ``FINETUNE('CREATE', …)``, made fit to be sent.

    :param model: the name wished for: an identifier or a qualified one, quoted or not.
    :param base_model: the same, or a name such as ``llama3.1-8b``. There is no list of base models here: it
        would be out of date.
    :param training_data: a query, or a table's name.
    :param validation_data: the same, or None.
    :param options: a mapping, or a JSON object as text; ``max_epochs`` is a whole number from 1 to 10, others
        are Cortex's business.
    :raises ArgumentError: if one is of no use.
    """

    model: str
    base_model: str
    training_data: str
    validation_data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in {
            "model": _model(self.model),
            "base_model": _base_model(self.base_model),
            "training_data": _data("training_data", self.training_data),
            "validation_data": self.validation_data
            and _data("validation_data", self.validation_data),
            "options": _options(self.options),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def queries(self) -> Mapping[str, str]:
        """What of the data is a query, by argument."""
        data = {"training_data": self.training_data, "validation_data": self.validation_data}
        return {
            name: text for name, text in data.items() if text and not source_query.is_not_sql(text)
        }

    @property
    def unknown_options(self) -> list[str]:
        """Options that this package cannot check."""
        return sorted(self.options.keys() - {"max_epochs"})

    def differences(self, job: FineTuneJob) -> list[str]:
        """
        Return the arguments of which a job that is there has others than this request.

        :param job: as DESCRIBE returned it. What it does not tell is no difference.
        """
        reported = job.options or {}
        pairs = {
            "base_model": (job.base_model and job.base_model.upper(), self.base_model.upper()),
            "training_data": (job.training_data, self.training_data),
            "validation_data": (job.validation_data, self.validation_data),
            # Cortex may add its own defaults.
            "options": (reported, {**reported, **self.options}),
        }
        return [name for name, (there, here) in pairs.items() if there and there != here]


def check_columns(argument: str, columns: Iterable[str]) -> None:
    """
    Check what columns a query has.

    :param columns: their names as Snowflake has them.
    :raises QueryError: if one that Cortex reads is not among them.
    """
    found = list(columns)
    missing = [name for name in COLUMNS if name not in found]
    if not missing:
        return
    similar = {name.upper(): name for name in found if name.upper() in missing}
    aliases = ", ".join(
        f'"{similar[name]}" AS {name}' if name in similar else f"… AS {name}" for name in missing
    )
    because = ', and to Snowflake a quoted "name" in small letters is another one' * bool(similar)
    has = ", ".join(f'"{name}"' for name in found)
    raise QueryError(
        argument,
        f"has no column {' and no column '.join(missing)}: its columns are {excerpt(has)}. Cortex reads"
        f" PROMPT and COMPLETION, in capitals{because}. Name what is missing: SELECT {aliases}, and so on.",
    )


def _model(name: str) -> str:
    # Snowflake's page on arctic-extract writes names with an @ before them.
    identifiers.qualified("model", name.strip().removeprefix("@"))
    return name.strip()


def _base_model(name: str) -> str:
    text = name.strip()
    if not _BASE_MODEL.fullmatch(text):
        identifiers.qualified("base_model", text)
    return text


def _data(argument: str, text: str) -> str:
    return (
        source_query.plain(text)
        if source_query.is_not_sql(text)
        else source_query.source(argument, text)
    )


def _options(options: object) -> dict[str, Any]:
    checked: dict[str, Any] = json.loads(sql.json_text("options", options))
    if "max_epochs" in checked:
        epochs = checked["max_epochs"]
        if isinstance(epochs, str) and epochs.strip().isdecimal():  # a template renders to text
            epochs = int(epochs)
        if type(epochs) is not int or epochs not in EPOCHS:
            raise ArgumentError(
                "options",
                options,
                f"has a max_epochs of {excerpt(repr(epochs))}, and must have a whole number from"
                f" {EPOCHS[0]} to {EPOCHS[-1]}, or none.",
            )
        checked["max_epochs"] = epochs
    return checked
