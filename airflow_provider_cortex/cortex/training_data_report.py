"""What a check of training data found: the report, and the limits that it misses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_cortex.cortex.text_table import aligned
from airflow_provider_cortex.cortex.training_data_sql import (
    TRAINING,
    VALIDATION,
    DataFigures,
    Tokens,
)
from airflow_provider_cortex.errors import GateError
from airflow_provider_cortex.safe_text import for_log

# Guess default-epochs: a job without max_epochs trains for 3 epochs, with which Snowflake's page
# computes its limits of rows. If wrong: the estimate of trained tokens is too low or too high,
# unless epochs are given. No live check: it needs another job that trains, and is paid for.
ASSUMED_EPOCHS = 3
"""The epochs of a job for which none are given."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    What the data must keep to. None is no limit.

    :param min_rows: the fewest rows of training data.
    :param max_trained_tokens: the most trained tokens, as estimated.
    :param max_truncated_rows: the largest share of rows that are longer than allowed, from 0 to 1;
        this and the other shares hold for each data set.
    :param max_empty_rows: the same for rows with an empty prompt or completion.
    :param max_duplicate_rows: the same for copies of earlier rows.
    :param allow_overlap: whether validation data may have prompts of the training data.
    """

    min_rows: float = 1
    max_trained_tokens: float | None = None
    max_truncated_rows: float | None = None
    max_empty_rows: float | None = None
    max_duplicate_rows: float | None = None
    allow_overlap: bool = True


SHARES = {
    "max_truncated_rows": ("truncated_rows", "longer than allowed"),
    "max_empty_rows": ("empty_rows", "empty"),
    "max_duplicate_rows": ("duplicate_rows", "duplicates"),
}
"""Each limit that is a share: the figure that it limits, and what these rows are."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A limit that is missed: by *value*, a figure of a data set, or None if it is unknown."""

    argument: str
    data: str
    figure: str
    value: float | None
    limit: float
    text: str
    """The same in words."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, without the words."""
        return {name: value for name, value in asdict(self).items() if name != "text"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """
    The figures of training data, and what they mean for a job.

    :param epochs: as the task has them; None if it has none.
    :param credits_per_million_tokens: the price of training; None if it is not given.
    """

    base_model: str
    training: DataFigures
    validation: DataFigures | None = None
    epochs: int | None = None
    credits_per_million_tokens: float | None = None

    # Guess trained-tokens: the tokens of both prompts and completions are trained, once in each
    # epoch. Snowflake's page says "input tokens times epochs". If wrong: a job costs less than was
    # estimated, and one that keeps to max_trained_tokens may be refused.
    @property
    def trained_tokens(self) -> int | None:
        """The estimated tokens of a job; None if some rows could not be counted."""
        data = self.training
        if data.uncounted_rows:
            return None
        tokens = (data.prompt_tokens.sum or 0) + (data.completion_tokens.sum or 0)
        return int(tokens) * (self.epochs or ASSUMED_EPOCHS)

    @property
    def credits(self) -> float | None:
        """What the job would cost; None if the tokens or the price are unknown."""
        if self.trained_tokens is None or self.credits_per_million_tokens is None:
            return None
        return self.trained_tokens / 1_000_000 * self.credits_per_million_tokens

    def missed(self, limits: Limits) -> list[Miss]:
        """Return the limits that are missed, also by a figure that is unknown."""
        return [*self._missed_rows(limits), *self._missed_shares(limits), *self._others(limits)]

    def to_dict(self, missed: list[Miss]) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "base_model": self.base_model,
            "training": _without_overlap(self.training),
            "validation": self.validation and asdict(self.validation),
            "epochs": self.epochs or ASSUMED_EPOCHS,
            "epochs_are_assumed": self.epochs is None,
            "trained_tokens": self.trained_tokens,
            "credits": self.credits,
            "missed": [miss.to_dict() for miss in missed],
        }

    def to_text(self, missed: list[Miss]) -> str:
        """Return the report as an aligned table of several lines."""
        sets = self._sets.values()
        cells = [["", *("training", "validation")[: len(sets)]]]
        cells += [[label, *map(read, sets)] for label, read in _LINES.items()]
        if self.validation:
            cells.append(
                [
                    "prompts that are in the training data",
                    "",
                    f"{self.validation.overlapping_rows:,}",
                ]
            )
        below = [*self._lines_below(), *(f"MISSED: {miss.text}" for miss in missed)]
        return "\n".join([*aligned(cells, left=1), *below])

    @property
    def _sets(self) -> dict[str, DataFigures]:
        sets = {TRAINING: self.training, VALIDATION: self.validation}
        return {name: data for name, data in sets.items() if data is not None}

    def _missed_rows(self, limits: Limits) -> Iterator[Miss]:
        for name, data in self._sets.items():
            fewest = max(1.0, limits.min_rows) if name == TRAINING else 1.0
            if not data.rows >= fewest:
                yield Miss(
                    argument="min_rows",
                    data=name,
                    figure="rows",
                    value=data.rows,
                    limit=fewest,
                    text=f"{name} has {data.rows:,} rows, below min_rows = {fewest:,.0f}",
                )

    def _missed_shares(self, limits: Limits) -> Iterator[Miss]:
        for name, data in self._sets.items():
            for argument, (figure, adjective) in SHARES.items():
                limit, value = getattr(limits, argument), data.share(figure)
                # Without rows there is no share, and min_rows is missed.
                if limit is None or value <= limit or not data.rows:
                    continue
                rows = f"{getattr(data, figure):,} of {data.rows:,} rows are {adjective}"
                yield Miss(
                    argument=argument,
                    data=name,
                    figure=figure,
                    value=value,
                    limit=limit,
                    text=f"{name}: {rows}, a share of {value:.4g}, above {argument} = {limit:g}",
                )

    def _others(self, limits: Limits) -> Iterator[Miss]:
        tokens, most = self.trained_tokens, limits.max_trained_tokens
        if most is not None and not (math.nan if tokens is None else tokens) <= most:
            yield Miss(
                argument="max_trained_tokens",
                data=TRAINING,
                figure="trained_tokens",
                value=tokens,
                limit=most,
                text=f"trained_tokens is {_number(tokens)}"
                f", {'above' if tokens else 'not at most'} max_trained_tokens = {most:,.0f}",
            )
        if (data := self.validation) is None or limits.allow_overlap:
            return
        if overlap := data.overlapping_rows:
            yield Miss(
                argument="allow_overlap",
                data=VALIDATION,
                figure="overlapping_rows",
                value=overlap,
                limit=0,
                text=f"{VALIDATION}: {overlap:,} of {data.rows:,} rows have a prompt of {TRAINING}, and"
                " allow_overlap is False",
            )

    def _lines_below(self) -> Iterator[str]:
        for name, data in self._sets.items():
            if data.is_estimate:
                yield f"The figures of {name} are estimated from a random sample of its rows."
            if data.uncounted_rows:
                yield (
                    f"Snowflake counted no tokens in {data.uncounted_rows:,} of {data.rows:,} rows of {name}:"
                    f" is {for_log(self.base_model)} a base model that AI_COUNT_TOKENS knows?"
                )
        assumed = " (assumed: none are given)" if self.epochs is None else ""
        yield (
            f"Estimated trained tokens of {for_log(self.base_model)}:"
            f" {_number(self.trained_tokens)}, in {self.epochs or ASSUMED_EPOCHS} epochs{assumed}"
        )
        if self.credits is not None:
            yield f"Estimated credits: {self.credits:,.4f}"


def gate_error(summary: str, missed: list[Miss]) -> GateError:
    """Return the error for limits that are missed. The *summary* ends before them."""
    return GateError(
        f"{summary}: {'; '.join(miss.text for miss in missed)}.",
        "Correct the data, or raise the limits, and clear this task.",
        {miss.argument: (miss.figure, miss.value, miss.limit) for miss in reversed(missed)},
    )


def _number(number: float | None) -> str:
    if number is None:
        return "unknown"
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def _count(figure: str) -> Callable[[DataFigures], str]:
    return lambda data: _number(getattr(data, figure))


def _tokens(column: str, statistic: str) -> Callable[[DataFigures], str]:
    def read(data: DataFigures) -> str:
        tokens: Tokens = getattr(data, column)
        return _number(getattr(tokens, statistic))

    return read


_LINES: Mapping[str, Callable[[DataFigures], str]] = {
    "rows": _count("rows"),
    "prompts that are NULL": _count("null_prompts"),
    "prompts that are empty": _count("empty_prompts"),
    "completions that are NULL": _count("null_completions"),
    "completions that are empty": _count("empty_completions"),
    "rows with NULL or empty text": _count("empty_rows"),
    "rows that copy an earlier one": _count("duplicate_rows"),
    "prompts with several completions": _count("contradicting_prompts"),
    "rows longer than allowed": _count("truncated_rows"),
} | {
    f"{column} tokens, {label}": _tokens(f"{column}_tokens", statistic)
    for column in ("prompt", "completion")
    for label, statistic in {
        "sum": "sum",
        "median": "median",
        "95 % have at most": "p95",
        "most": "max",
    }.items()
}
"""The lines of the table, and how the cell of a data set is read."""


def _without_overlap(data: DataFigures) -> dict[str, Any]:
    return {name: value for name, value in asdict(data).items() if name != "overlapping_rows"}
