"""
The versions of one model: the name that CortexFineTuneOperator asks for, and Cortex's suffixes.

Which of them may be dropped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import UnreadableAnswerError

TUNED = "CORTEX_FINETUNED"
"""The ``model_type`` of a tuned model."""

_SUFFIX = r"(?:_(\d+))?"
"""What Cortex appends to a name that is taken (guess name-suffix)."""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """
    A tuned model that exists.

    :param parts: its database, schema and name, as Snowflake stores them.
    :param created_on: when its training ended.
    :param number: that of its suffix; 0 without one.
    """

    parts: tuple[Identifier, ...]
    created_on: datetime
    number: int

    @property
    def name(self) -> str:
        """Its full name."""
        return identifiers.written(self.parts)

    @property
    def drop(self) -> Call:
        """
        The statement that drops it; it succeeds if the model has been dropped meanwhile.

        Source: https://docs.snowflake.com/en/sql-reference/sql/drop-model
        """
        return Call(f"DROP MODEL IF EXISTS {identifiers.sql(self.parts)}", ())

    def is_named_in(self, statement: str) -> bool:
        """Return whether the text of a statement has its name, even without its schema."""
        name = rf"(?<![\w$]){re.escape(self.parts[-1].folded)}(?![\w$])"
        return re.search(name, statement, re.IGNORECASE) is not None


def find(
    model: tuple[Identifier, ...], shown: Iterable[Mapping[str, object]]
) -> list[ModelVersion]:
    """
    Return the versions of a model, newest first.

    :param model: the database, the schema, and the name that was asked for.
    :param shown: the models that SHOW MODELS lists for its schema.
    :raises UnreadableAnswerError: if the age of a version is unknown.
    """
    *schema, name = model
    pattern = re.compile(re.escape(name.folded) + _SUFFIX)
    found = []
    for record in shown:
        match = pattern.fullmatch(stored := str(record.get("name")))
        if match and str(record.get("model_type")).upper() == TUNED:
            created_on = record.get("created_on")
            if not isinstance(created_on, datetime):
                raise UnreadableAnswerError("which should have a time in created_on", created_on)
            parts = (*schema, Identifier(stored, is_quoted=True))
            number = int(match[1] or 0)
            found.append(ModelVersion(parts=parts, created_on=created_on, number=number))
    return sorted(found, key=lambda version: (version.created_on, version.number), reverse=True)


def reasons_to_keep(
    versions: Iterable[ModelVersion],
    *,
    newest: int,
    protected: Collection[str],
    promoted: Mapping[str, str],
    running_statements: Collection[str],
) -> dict[ModelVersion, str | None]:
    """
    Return why each version is kept; None for one to drop.

    Names are compared regardless of case, since it is not known how Cortex returns a quoted name:
    rather one version too many is kept.

    :param versions: newest first.
    :param newest: how many of the newest are kept.
    :param protected: names of models; one without a schema is in the schema of the versions.
    :param promoted: aliases and the full name of the model that each of them uses.
    :param running_statements: the texts of the statements that are running now.
    """
    reasons: dict[ModelVersion, str | None] = {}
    for position, version in enumerate(versions):
        schema, key = version.parts[:-1], _key(version.parts)
        aliases = [alias for alias, model in promoted.items() if _full_key(model, schema) == key]
        if aliases:
            reasons[version] = f"in use as {', '.join(sorted(aliases))}"
        elif any(map(version.is_named_in, running_statements)):
            reasons[version] = "a running statement uses it"
        elif key in {_full_key(name, schema) for name in protected}:
            reasons[version] = "protected"
        else:
            kept = f"one of the newest {newest}" if newest > 1 else "the newest"
            reasons[version] = kept if position < newest else None
    return reasons


def _full_key(name: str, schema: tuple[Identifier, ...]) -> tuple[str, ...] | None:
    """Return the key of a tuned model's name; None for another name, such as a base model's."""
    parts = identifiers.parse(identifiers.without_at(name))
    if parts is None:
        return None
    return _key((*schema[: identifiers.MAX_PARTS - len(parts)], *parts))


def _key(parts: Iterable[Identifier]) -> tuple[str, ...]:
    return tuple(part.text.upper() for part in parts)
