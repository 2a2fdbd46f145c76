"""
AI_COUNT_TOKENS, as a function that DuckDB calls with thousands of rows at once.

https://docs.snowflake.com/en/sql-reference/functions/ai_count_tokens
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import call_rewriting
from airflow_provider_cortex.emulator.sql_errors import (
    invalid_arguments,
    invalid_value,
    not_emulated,
)
from airflow_provider_cortex.emulator.tuned_model import PIECE

UDF = "_count_tokens"
"""``_count_tokens(function, model, text)``."""

_NAMES = {"AI_COUNT_TOKENS", "SNOWFLAKE.CORTEX.AI_COUNT_TOKENS"}

_FUNCTION = r"^ai_[a-z_]+$"

# The function's name, a model and a text; options and return_error_details may follow.
_COUNTED = 3
_MOST = 5


@dataclass(frozen=True, slots=True)
class CountTokens:
    """The function, for one account. Models that are tuned have no tokens, as documented."""

    models: Collection[str]

    def __call__(self, functions: Any, models: Any, texts: Any) -> Any:
        """
        Return the number of tokens of each text; NULL for NULL.

        :raises SqlError: for an unknown function or model.
        """
        for function in pc.unique(functions):
            if not pc.match_substring_regex(function, _FUNCTION).as_py():
                raise invalid_value(function.as_py(), parameter="function_name")
        for model in pc.unique(models).to_pylist():
            if model not in self.models:
                raise invalid_value(model, parameter="model_name")
        return pc.count_substring_regex(texts, PIECE).cast(pa.int64())


def replace_calls(statement: Expr) -> Expr:
    """
    Return *statement* with calls of :data:`UDF`. It is changed in place.

    :raises SqlError: for another number of arguments, and for forms that are not emulated.
    """
    for name, node in reversed(call_rewriting.calls(statement)):  # innermost calls first
        if name in _NAMES:
            call = node.expression if isinstance(node, exp.Dot) else node
            node.replace(exp.Anonymous(this=UDF, expressions=_counted(call.expressions)))
    return statement


def _counted(arguments: list[Expr]) -> list[Expr]:
    is_named = any(isinstance(argument, exp.Kwarg) for argument in arguments)
    if is_named or not _COUNTED <= len(arguments) <= _MOST:
        raise invalid_arguments(
            of="AI_COUNT_TOKENS", got=[argument.sql("snowflake") for argument in arguments]
        )
    if arguments[_MOST - 1 :] and call_rewriting.is_given(arguments[-1]):
        raise not_emulated("AI_COUNT_TOKENS with return_error_details")
    return arguments[:_COUNTED]
