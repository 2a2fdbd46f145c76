"""
The SQL that measures training data inside Snowflake: one statement for each data set, one row back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_cortex.cortex import source_query, sql
from airflow_provider_cortex.cortex.finetune_request import COLUMNS, base_model_name
from airflow_provider_cortex.cortex.rendered_values import as_float, text
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import QueryError, UnreadableAnswerError

TRAINING, VALIDATION = "training_data", "validation_data"

FUNCTION = "ai_complete"
"""The function whose tokens are counted, as AI_COUNT_TOKENS writes it."""

# TRIM removes spaces only. REGEXP_LIKE compares with the whole text.
_IS_EMPTY = r"REGEXP_LIKE({}, '\\s*')"

# Guess uncounted-text: AI_COUNT_TOKENS returns NULL for NULL, and an unknown model fails the
# statement. If wrong: a check fails whose data has a NULL, or reports the tokens as unknown.
_COUNTS = {
    "null_prompts": "prompt IS NULL",
    "empty_prompts": "has_empty_prompt",
    "null_completions": "completion IS NULL",
    "empty_completions": "has_empty_completion",
    "empty_rows": "prompt IS NULL OR has_empty_prompt"
    " OR completion IS NULL OR has_empty_completion",
    "duplicate_rows": "copy > 1",
    # The second completion of a prompt, once. NULL is none.
    "contradicting_prompts": "version = 2 AND copy = 1"
    " AND prompt IS NOT NULL AND completion IS NOT NULL",
    "overlapping_rows": "is_trained",
    "uncounted_rows": "prompt IS NOT NULL AND prompt_tokens IS NULL"
    " OR completion IS NOT NULL AND completion_tokens IS NULL",
}
"""The figures that are numbers of rows (or prompts), and the condition for each of these rows."""

_STATISTICS = ("sum", "median", "p95", "max")


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """How many tokens the texts of a column have: None if no text was counted."""

    sum: float | None
    median: float | None
    p95: float | None
    """At least 95 % of the texts have at most so many."""
    max: float | None


@dataclass(frozen=True, kw_only=True)
class DataFigures:
    """What was measured of a data set."""

    rows: int
    null_prompts: int
    empty_prompts: int
    """Prompts of whitespace only, or of nothing; NULL is not among them."""
    null_completions: int
    empty_completions: int
    empty_rows: int
    """Rows whose prompt or completion is NULL or empty."""
    duplicate_rows: int
    """Rows with the same prompt and completion as an earlier row."""
    contradicting_prompts: int
    """Prompts that have several completions."""
    truncated_rows: int
    """Rows whose prompt or completion has more tokens than allowed; 0 if nothing limits them."""
    uncounted_rows: int
    """Rows with a text of which AI_COUNT_TOKENS returned no number."""
    prompt_tokens: Tokens
    completion_tokens: Tokens
    overlapping_rows: int
    """Rows of the validation data whose prompt is one of the training data."""
    is_estimate: bool
    """Whether a sample was measured. Then all figures but *rows* are scaled or estimated."""

    def share(self, figure: str) -> float:
        """Return a number of rows as a share of all; NaN if there are none."""
        count: int = getattr(self, figure)
        return count / self.rows if self.rows else math.nan


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """
    What to measure.

    :param base_model: the model whose tokens are counted.
    :param training_data: a table's name, or a query.
    :param validation_data: the same, or None.
    :param max_prompt_tokens: prompts with more are counted as truncated; None for no limit.
    :param max_completion_tokens: the same for completions.
    :param sample: measure so many random rows; None for all.
    :raises ArgumentError: if an argument is invalid.
    """

    base_model: str
    training_data: str
    validation_data: str | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    sample: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_model", base_model_name(self.base_model))
        for name, query in self.queries.items():
            object.__setattr__(self, name, _query(name, query))

    @property
    def queries(self) -> Mapping[str, str]:
        """The data sets by their arguments."""
        data = {TRAINING: self.training_data, VALIDATION: self.validation_data}
        return {name: query for name, query in data.items() if query is not None}

    def statement(self, argument: str) -> Call:
        """
        Return the statement that measures a data set; :meth:`figures` reads its row.

        Duplicates, contradictions and overlap are found in all rows, before a sample is taken: in
        the sample alone there are fewer of them.

        :param argument: ``training_data`` or ``validation_data``.
        """
        counts = {**_COUNTS, "truncated_rows": self._is_truncated}
        columns = ["COUNT(*)", "MAX(total)", *(f"COUNT_IF({rows})" for rows in counts.values())]
        for tokens in ("prompt_tokens", "completion_tokens"):
            p95 = f"PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY {tokens})"
            columns += [f"SUM({tokens})", f"MEDIAN({tokens})", p95, f"MAX({tokens})"]
        model = text("base_model", self.base_model)
        rows = sql.for_binding(self._rows(argument))
        return Call(
            f"SELECT {', '.join(columns)} FROM (SELECT *,"  # noqa: S608 - the user's own queries
            f" {_IS_EMPTY.format('prompt')} AS has_empty_prompt,"
            f" {_IS_EMPTY.format('completion')} AS has_empty_completion,"
            f" AI_COUNT_TOKENS('{FUNCTION}', %s, prompt) AS prompt_tokens,"
            f" AI_COUNT_TOKENS('{FUNCTION}', %s, completion) AS completion_tokens"
            f" FROM ({rows}){self._sample})",
            (model, model),
            only_reads=True,
        )

    @property
    def width(self) -> int:
        """How many columns a :meth:`statement` has."""
        return 2 + len(_COUNTS) + 1 + 2 * len(_STATISTICS)

    def figures(self, row: Sequence[object]) -> DataFigures:
        """
        Return the figures in the row of a :meth:`statement`.

        :raises UnreadableAnswerError: if a count is not a number.
        """
        names = [*_COUNTS, "truncated_rows"]
        numbers = [None if cell is None else as_float(cell) for cell in row]
        if any(cell is not None and not math.isfinite(cell) for cell in numbers):
            raise UnreadableAnswerError("which should be numbers", row)
        measured, total, *rest = numbers
        counts, tokens = rest[: len(names)], rest[len(names) :]
        rows = total or 0
        factor = rows / measured if measured else 1.0
        figures = {
            name: round(count * factor) if count else 0
            for name, count in zip(names, counts, strict=True)
        }
        half = len(_STATISTICS)
        return DataFigures(
            rows=int(rows),
            prompt_tokens=_tokens(tokens[:half], factor),
            completion_tokens=_tokens(tokens[half:], factor),
            is_estimate=(measured or 0) < rows,
            **figures,
        )

    @property
    def _is_truncated(self) -> str:
        limits = {
            "prompt_tokens": self.max_prompt_tokens,
            "completion_tokens": self.max_completion_tokens,
        }
        set_limits = [f"{name} > {most:d}" for name, most in limits.items() if most is not None]
        return " OR ".join(set_limits) or "FALSE"

    # Guess sample-of-query: `SAMPLE (n ROWS)` may follow a query in parentheses. If wrong: a check
    # with a sample is rejected.
    @property
    def _sample(self) -> str:
        return "" if self.sample is None else f" SAMPLE ({self.sample:d} ROWS)"

    def _rows(self, argument: str) -> str:
        """Return the query for all rows, and what each of them is among the others."""
        # As Cortex reads them (guess wrapped-query).
        prompt, completion = (f'"{name}"::VARCHAR' for name in COLUMNS)
        query = sql.subquery(argument, self.queries[argument])
        rows = f"(SELECT {prompt} AS prompt, {completion} AS completion FROM ({query}))"  # noqa: S608 - the user's own query
        is_trained = "FALSE"
        if argument == VALIDATION:
            # A join: Snowflake documents IN with a query for WHERE only.
            training = sql.subquery(TRAINING, self.training_data)
            trained = f"(SELECT DISTINCT {prompt} AS trained_prompt FROM ({training}))"  # noqa: S608 - as above
            rows += f" LEFT JOIN {trained} ON prompt = trained_prompt"
            is_trained = "trained_prompt IS NOT NULL"
        return (
            f"SELECT prompt, completion, {is_trained} AS is_trained, COUNT(*) OVER () AS total,"  # noqa: S608 - as above
            " ROW_NUMBER() OVER (PARTITION BY prompt, completion ORDER BY prompt) AS copy,"
            " DENSE_RANK() OVER (PARTITION BY prompt ORDER BY completion NULLS LAST) AS version"
            f" FROM {rows}"
        )


def _query(argument: str, data: str) -> str:
    if source_query.is_not_sql(data):
        raise QueryError(
            argument,
            "is a dataset or a stage, which only Cortex can read: use a query or a table's name.",
        )
    return source_query.as_query(argument, data)


def _tokens(cells: Sequence[float | None], factor: float) -> Tokens:
    total, *others = cells
    scaled = None if total is None else float(round(total * factor))
    return Tokens(**dict(zip(_STATISTICS, map(_whole, [scaled, *others]), strict=True)))


def _whole(number: float | None) -> float | None:
    """Return a number without a fraction as an int: JSON writes it without a decimal point."""
    return number if number is None or number != int(number) else int(number)
