"""
A model's alias: a stable name that all callers use, whichever version of the model is in use.

It is a SQL function with one argument, the prompt. Its body asks the model; its comment, in JSON,
says which model that is, and where it came from. A tuned model itself cannot be renamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.session_settings import PACKAGE
from airflow_provider_cortex.cortex.sql import Call, for_binding, literal
from airflow_provider_cortex.errors import ArgumentError

TYPES = "(VARCHAR)"
"""The types of an alias's arguments: with its name they identify the function."""

# Guess base-model-names: the name of a base model is not an identifier, because of its hyphens. If
# wrong: such a model cannot be given an alias: the task fails, and says that it does not exist.
# No live check: the list of base models changes.
_BASE_MODEL = re.compile(r"[A-Za-z0-9][\w-]*(\.[\w-]+)?", re.ASCII)


# Guess alias-body: the body of a SQL function may call AI_COMPLETE, with the function's argument
# as the prompt. If wrong: CortexPromoteModelOperator fails, or calls of the alias do.
#
# Guess alias-comment: SHOW USER FUNCTIONS returns a function's comment, complete, in the column
# `description`. If wrong: CortexPromoteModelOperator does not recognize its own function, and
# replaces no alias; CortexDropModelsOperator does not recognize the promoted model.
@dataclass(frozen=True, kw_only=True)
class ModelAlias:
    """
    What the comment of an alias says.

    :param model: the model in use, by its full name.
    :param previous_model: the model that was in use before, if any.
    :param finetune_job_id: the job that trained the model, if known.
    :param dag_id: the DAG of the task that promoted the model; the same for the other ids.
    :param map_index: -1 for a task that is not mapped.
    """

    model: str
    previous_model: str | None = None
    finetune_job_id: str | None = None
    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1

    @property
    def comment(self) -> str:
        """The function's comment (guess alias-comment): JSON in ASCII."""
        return json.dumps({"package": PACKAGE, "alias_of": self.model, **_without_model(self)})

    @property
    def body(self) -> str:
        """The function's body (guess alias-body)."""
        return f"AI_COMPLETE({literal(self.model)}, prompt)"

    @classmethod
    def read(cls, comment: object) -> Self | None:
        """Return what a function's comment says; None if the function is no alias of ours."""
        match _decoded(comment):
            case {"package": str(package), "alias_of": str(model), **facts} if package == PACKAGE:
                known: Any = {name: facts[name] for name in _FACTS if name in facts}
                try:
                    return cls(model=model, **known)
                except TypeError:  # a field is missing
                    return None
        return None

    def is_of_same_task(self, other: ModelAlias) -> bool:
        """Return whether the same task instance promoted both, perhaps in different tries."""
        ids = "dag_id", "task_id", "run_id", "map_index"
        return all(getattr(self, name) == getattr(other, name) for name in ids)


_FACTS = tuple(name for name in ModelAlias.__dataclass_fields__ if name != "model")


def tuned_model(argument: str, name: str, namespace: Namespace) -> str | None:
    """
    Return the full name of a tuned model; None if the name is that of a base model.

    A full name is returned as it is: Cortex has returned it (guess returned-name).

    :raises ArgumentError: if it is neither.
    """
    name = name.strip()
    parts = identifiers.parse(name)
    if parts is None and _BASE_MODEL.fullmatch(name):
        return None
    full = namespace.full_name_of(argument, name)
    return name if parts == full else identifiers.written(full)


def is_same_model(one: str, other: str) -> bool:
    """Return whether two full names mean the same model, as Snowflake reads them."""
    return _key(one) == _key(other)


def promote(function: tuple[Identifier, ...], alias: ModelAlias) -> Call:
    """
    Return the statement that creates or replaces the function of an alias, and keeps its grants.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-function
    """
    name = for_binding(identifiers.sql(function))
    return Call(
        f"CREATE OR REPLACE FUNCTION {name}(prompt VARCHAR) COPY GRANTS RETURNS VARCHAR"
        " COMMENT = %s AS %s",
        (text("alias", alias.comment), text("model", alias.body)),
    )


def grant_function(function: tuple[Identifier, ...], role: Identifier) -> Call:
    """Return the statement that lets a role call the function of an alias."""
    sql = f"GRANT USAGE ON FUNCTION {identifiers.sql(function)}{TYPES} TO ROLE {role.sql}"
    return Call(sql, ())


def grant_model(model: str, role: Identifier) -> Call:
    """
    Return the statement that lets a role use a tuned model.

    :param model: its full name.
    """
    parts = identifiers.parse_argument("model", model)
    return Call(f"GRANT USAGE ON MODEL {identifiers.sql(parts)} TO ROLE {role.sql}", ())


def find(
    written: str, function: tuple[Identifier, ...], shown: Iterable[Mapping[str, object]]
) -> ModelAlias | None:
    """
    Return an alias; None if there is no function of its name.

    A function with other arguments counts, too: calls could not tell them apart.

    :param written: its name in the DAG file.
    :param shown: the functions that SHOW USER FUNCTIONS lists.
    :raises ArgumentError: if a function of its name is no alias of this package.
    """
    found = None
    for record in shown:
        if _function(record) == tuple(part.folded for part in function):
            found = ModelAlias.read(record.get("description"))
            if found is None:
                raise ArgumentError(
                    "alias",
                    written,
                    f"{written} is a function that CortexPromoteModelOperator did not create:"
                    f" {record.get('arguments')}.",
                    "Choose another name, or drop that function.",
                )
    return found


def find_all(shown: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, ModelAlias]]:
    """Yield all aliases, each with its full name."""
    for record in shown:
        if alias := ModelAlias.read(record.get("description")):
            parts = (Identifier(part, is_quoted=True) for part in _function(record))
            yield identifiers.written(tuple(parts)), alias


def missing(written: str) -> ArgumentError:
    """Return the error for an alias that does not exist."""
    problem = f"{written} does not exist, or the role may not use it."
    return ArgumentError("alias", written, problem, "CortexPromoteModelOperator creates it.")


def _function(record: Mapping[str, object]) -> tuple[str, ...]:
    columns = "catalog_name", "schema_name", "name"
    return tuple(str(record.get(column)) for column in columns)


def _key(model: str) -> tuple[str, ...]:
    parts = identifiers.parse(model)
    return (model.lower(),) if parts is None else tuple(part.folded for part in parts)


def _without_model(alias: ModelAlias) -> dict[str, Any]:
    facts = asdict(alias)
    del facts["model"]
    return facts


def _decoded(comment: object) -> object:
    try:
        return json.loads(comment) if isinstance(comment, str) else None
    except (ValueError, RecursionError):
        return None
