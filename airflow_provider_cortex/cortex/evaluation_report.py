"""What an evaluation found: the models' scores, whether they differ by chance, and the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Self

from airflow_provider_cortex.cortex.completion import NULL_ANSWER
from airflow_provider_cortex.cortex.text_table import aligned
from airflow_provider_cortex.errors import GateError, Missed, UnreadableAnswerError
from airflow_provider_cortex.safe_text import excerpt, for_log

SIGNIFICANCE = 0.05
"""A difference that chance alone makes at least as often as this could be chance."""

MAX_EXACT = 1000
"""Up to so many rows that differ, the probability is computed exactly."""

Row = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class ModelScore:
    """
    The answers of one model.

    :param score: the mean over the rows in which all models have a score; None without any. An
        answer that is missing scores 0.
    :param errors: rows without an answer.
    :param most_frequent_error: of these.
    :param prompt_tokens: of all rows; None if Cortex reported none.
    :param fields: of an extraction, for each field the share of right answers, from 0 to 1.
    """

    model: str
    score: float | None
    errors: int
    error_rate: float
    most_frequent_error: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    fields: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """
    Two models, row by row.

    :param gain: the mean of *model*'s score minus *other*'s.
    :param better: rows in which *model* has the higher score.
    :param worse: rows in which *other* has it.
    :param p_value: how often chance alone makes a difference as large as this, from 0 to 1.
    """

    model: str
    other: str
    gain: float
    better: int
    worse: int
    p_value: float
    could_be_chance: bool

    def reversed(self) -> Comparison:
        """Return the same from the other model's side."""
        return Comparison(
            model=self.other,
            other=self.model,
            gain=-self.gain or 0.0,  # not -0.0
            better=self.worse,
            worse=self.better,
            p_value=self.p_value,
            could_be_chance=self.could_be_chance,
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    What the best model must reach.

    :param max_unscored_rows: the share of the rows, from 0 to 1, that may have no score; None: any.
    :param min_score: its least score.
    :param min_gain: its least gain over the baseline.
    """

    max_unscored_rows: float | None
    min_score: float | None
    min_gain: float | None


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """
    All models, and the best one.

    :param rows: that each model was asked.
    :param unscored: of these, the rows in which not all models have a score: the expected answer
        is NULL, or the judge gave none from 0 to 1.
    :param comparisons: of the best model with the baseline; without a baseline, with each other
        model.
    :param winner: the best model, None if no model has an answer with a score.
    :param query_id: the statement that scored the answers; None if a retry does not know it.
    """

    rows: int
    unscored: int
    models: tuple[ModelScore, ...]
    comparisons: tuple[Comparison, ...]
    winner: str | None
    baseline: str | None
    query_id: str | None = None

    @classmethod
    def of(
        cls,
        models: Sequence[str],
        baseline: str | None,
        query_id: str | None,
        summaries: Sequence[Row],
        pairs: Sequence[Row],
        *,
        fields: Sequence[Row] = (),
    ) -> Self:
        """
        Return the report on what Snowflake has counted.

        :param summaries: the rows of :meth:`EvaluationRequest.summarize_models`.
        :param pairs: the rows of :meth:`EvaluationRequest.compare_models`.
        :param fields: the rows of :meth:`ExtractionEvaluationRequest.summarize_fields`.
        :raises UnreadableAnswerError: if they have another shape.
        """
        try:
            by_number = {int(row[0]): row for row in summaries}
            scores = tuple(
                _score(model, by_number.get(number), _shares(number, fields))
                for number, model in enumerate(models, start=1)
            )
            compared = [_comparison(models, row) for row in pairs]
            rows, scored = map(int, summaries[0][1:3]) if summaries else (0, 0)
        except (TypeError, ValueError, IndexError) as error:
            problem = "which should be counts of answers and scores"
            raise UnreadableAnswerError(problem, [*summaries, *pairs]) from error
        winner = _winner(scores, rows, baseline)
        return cls(
            rows=rows,
            unscored=rows - scored,
            models=scores,
            comparisons=tuple(_of_winner(compared, winner, baseline)),
            winner=winner,
            baseline=baseline,
            query_id=query_id,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report for an XCom: Airflow 3 would store a tuple as an object of its own."""
        report = asdict(self)
        return {
            **report,
            "models": [
                {name: value for name, value in one.items() if name != "fields" or value}
                for one in report["models"]
            ],
            "comparisons": list(report["comparisons"]),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return the report in :meth:`to_dict`."""
        return cls(
            **{
                **stored,
                "models": tuple(ModelScore(**one) for one in stored["models"]),
                "comparisons": tuple(Comparison(**one) for one in stored["comparisons"]),
            }
        )

    @property
    def gain(self) -> float | None:
        """The best model's score minus the baseline's; None without a baseline or a score."""
        best, base = self._score_of(self.winner), self._score_of(self.baseline)
        return None if best is None or base is None else best - base

    def check(self, limits: Limits) -> str:
        """
        Return the best model's name.

        :raises GateError: if there is none, or a limit is missed.
        """
        if not self.rows:
            raise _rejected("the data has no rows", {"data": ("rows", 0, 1)})
        if all(one.errors == self.rows for one in self.models):
            errors = sorted({one.most_frequent_error or NULL_ANSWER for one in self.models})
            reason = (
                f"no model has answered any of the {self.rows:,} rows. Most frequent error:"
                f" {'; '.join(map(excerpt, errors))}"
            )
            raise _rejected(reason, {"models": ("answers", 0, 1)})
        found = [
            self._missed_unscored_rows(limits.max_unscored_rows),
            self._missed_score(limits.min_score),
            self._missed_gain(limits.min_gain),
        ]
        missed = {argument: gap for argument, gap, _ in filter(None, found)}
        if missed or self.winner is None:
            raise _rejected("; ".join(reason for *_, reason in filter(None, found)), missed)
        return self.winner

    def _missed_unscored_rows(self, limit: float | None) -> tuple[str, Missed, str] | None:
        share = self.unscored / self.rows
        most = 1.0 if limit is None else limit
        if share <= most and self.winner is not None:
            return None
        reason = (
            f"{self.unscored:,} of {self.rows:,} rows have no score, more than max_unscored_rows ="
            f" {most:g} allows: their expected answer is NULL, or the judge gave no number from"
            " 0 to 1"
        )
        return "max_unscored_rows", ("unscored_rows", share, most), reason

    def _missed_score(self, limit: float | None) -> tuple[str, Missed, str] | None:
        score = self._score_of(self.winner)
        # Not "<": a NaN misses its limit, too.
        if limit is None or self.winner is None or (score is not None and score >= limit):
            return None
        reason = (
            f"the best score is {_digits(score)}, of model {self.winner}, below min_score ="
            f" {limit:g}"
        )
        return "min_score", ("score", score, limit), reason

    def _missed_gain(self, limit: float | None) -> tuple[str, Missed, str] | None:
        gain = self.gain
        if limit is None or None in {self.winner, self.baseline}:
            return None
        if gain is not None and gain >= limit:
            return None
        reason = (
            f"the best model, {self.winner}, gains {_digits(gain)} over {self.baseline}, less than"
            f" min_gain = {limit:g}"
        )
        return "min_gain", ("gain", gain, limit), reason

    def table(self) -> str:
        """Return the report as lines of text for a log."""
        heads = ("", "model", "score", "errors", "prompt tokens", "completion tokens")
        cells = [heads, *(self._cells(score) for score in self.models)]
        counted = f"{self.rows:,} rows"
        if self.unscored:
            counted += f", {self.unscored:,} of them without a score and not counted"
        lines = aligned(cells, left=2, gap=" ")
        return "\n".join([counted, *lines, *self._fields(), *map(_in_words, self.comparisons)])

    def _fields(self) -> list[str]:
        """Return the lines for an extraction's fields: the share of right answers of each model."""
        labels = dict.fromkeys(label for one in self.models for label in one.fields or ())
        if not labels:
            return []
        heads = ("field", *(_shown(one.model) for one in self.models))
        cells = [
            (_shown(label), *(_digits((one.fields or {}).get(label)) for one in self.models))
            for label in labels
        ]
        return aligned([heads, *cells], left=1)

    def _cells(self, score: ModelScore) -> tuple[str, ...]:
        mark = "*" if score.model == self.winner else ""
        kind = " (baseline)" if score.model == self.baseline else ""
        tokens = (
            "unknown" if count is None else f"{count:,}"
            for count in (score.prompt_tokens, score.completion_tokens)
        )
        return (
            mark,
            f"{_shown(score.model)}{kind}",
            _digits(score.score),
            f"{score.error_rate:.1%}",
            *tokens,
        )

    def _score_of(self, model: str | None) -> float | None:
        return next((one.score for one in self.models if one.model == model), None)


def p_value(*, total: float, squares: float, better: int, worse: int, is_binary: bool) -> float:
    """
    Return how often chance alone makes a difference as large as this, from 0 to 1.

    It asks what would come of swapping the two models' scores in rows at random (a permutation
    test of paired values). If scores are 0 or 1 this is McNemar's test: exact for few rows. Else,
    and for many rows, the sum of so many random signs is nearly normal.

    :param total: the sum of the differences.
    :param squares: the sum of their squares.
    :param better: how many differences are positive.
    :param worse: how many are negative.
    :param is_binary: whether each difference is -1, 0 or 1.
    """
    differing = better + worse
    if not differing or not squares:
        return 1.0
    if is_binary and differing <= MAX_EXACT:
        as_rare = sum(math.comb(differing, k) for k in range(min(better, worse) + 1))
        return min(1.0, as_rare / (1 << (differing - 1)))
    normal = 2 * (1 - NormalDist().cdf(abs(total) / math.sqrt(squares)))
    # With few rows no outcome is rarer than that all differences have the same sign.
    return (
        min(1.0, max(normal, math.ldexp(1.0, 1 - differing))) if differing <= MAX_EXACT else normal
    )


def _shares(number: int, fields: Iterable[Row]) -> dict[str, float] | None:
    """Return the share of right answers in each field of a model, by its number."""
    return {str(label): float(share) for one, label, share in fields if int(one) == number} or None


def _score(model: str, row: Row | None, fields: Mapping[str, float] | None) -> ModelScore:
    _, rows, _, errors, mean, prompt_tokens, completion_tokens, error = (
        row or (0,) * 4 + (None,) * 4
    )
    return ModelScore(
        model=model,
        score=None if mean is None else float(mean),
        errors=int(errors),
        error_rate=int(errors) / int(rows) if rows else 0.0,
        most_frequent_error=None if error is None else str(error),
        prompt_tokens=None if prompt_tokens is None else int(prompt_tokens),
        completion_tokens=None if completion_tokens is None else int(completion_tokens),
        fields=fields,
    )


def _comparison(models: Sequence[str], row: Row) -> Comparison:
    one, other, rows, total, squares, better, worse, others = row
    chance = p_value(
        total=float(total),
        squares=float(squares),
        better=int(better),
        worse=int(worse),
        is_binary=not int(others),
    )
    return Comparison(
        model=models[int(one) - 1],
        other=models[int(other) - 1],
        gain=float(total) / int(rows),
        better=int(better),
        worse=int(worse),
        p_value=chance,
        could_be_chance=chance >= SIGNIFICANCE,
    )


def _winner(scores: Iterable[ModelScore], rows: int, baseline: str | None) -> str | None:
    """Return the model with the highest score; among equals the baseline, else the first."""
    answering = [one for one in scores if one.score is not None and one.errors < rows]
    best = max(answering, key=lambda one: (one.score or 0.0, one.model == baseline), default=None)
    return None if best is None else best.model


def _of_winner(
    compared: Iterable[Comparison], winner: str | None, baseline: str | None
) -> Iterable[Comparison]:
    """Yield the comparisons of the best model with the baseline, or with all others."""
    for one in compared:
        for side in one, one.reversed():
            if side.model == winner and (baseline is None or baseline in {winner, side.other}):
                yield side


def _in_words(one: Comparison) -> str:
    gain = f"{_shown(one.model)} gains {one.gain:+.3f} over {_shown(one.other)}"
    rows = f"better in {one.better:,} rows, worse in {one.worse:,}"
    if one.could_be_chance:
        return f"{gain} ({rows}): this could be chance (p = {one.p_value:.2g})."
    return f"{gain} ({rows}): this is hardly chance (p = {one.p_value:.2g})."


def _shown(model: str) -> str:
    """Return a model's name for a line of a log: Cortex sent it."""
    return for_log(excerpt(model))


def _digits(number: float | None) -> str:
    return "none" if number is None else f"{number:.3f}"


def _rejected(reasons: str, missed: Mapping[str, Missed]) -> GateError:
    return GateError(
        f"No model is passed downstream: {reasons}.",
        "The models are unchanged. Train again with other data, or change the limit and clear"
        " this task, which asks, and pays for, all rows again.",
        missed,
    )
