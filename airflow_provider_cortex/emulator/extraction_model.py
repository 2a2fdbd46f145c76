"""
A stand-in for arctic-extract: it looks for the words of a question, or for words it has learned.

Everything here is invented. The results are deterministic and depend on the data. An untuned model
finds what stands after the words of a question. A tuned one knows which words stood before the
answers in its training documents, and what those answers looked like.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from airflow_provider_cortex.emulator import document_fields
from airflow_provider_cortex.emulator.extraction_questions import Question
from airflow_provider_cortex.emulator.tuned_model import count_tokens, hold_out

EXTRACTION_MODEL = "arctic-extract"
"""The model for documents. It is tuned with a dataset instead of a query."""

NO_ANSWER = "None"
# Guess extract-none: the answer to a question that has none is this text, as in the responses of
# training data, and as users report it; a list or the columns of a table are empty. If wrong: real
# answers are NULL or empty where those of tests are this text.

Answer = str | list[str] | dict[str, list[str]]
"""A text, a list, or the columns of a table."""


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and how sure the model is of it, from 0 to 1."""

    answer: Answer
    score: float


@dataclass(frozen=True, slots=True)
class Example:
    """One training document: its text, its questions, and the right answers by label."""

    text: str
    questions: tuple[Question, ...]
    answers: Mapping[str, object]


def untuned(text: str, question: Question) -> Found:
    """Return what stands after the words that a part of the text and the question have in common."""
    if question.columns:
        columns = document_fields.table(text, question.columns)
        return Found(columns, 1.0 if any(columns.values()) else 0.0)
    wanted = document_fields.content_words(f"{question.label} {question.text}")
    best, best_score = "", 0.0
    for key, value in document_fields.fields(text):
        words = document_fields.content_words(key)
        common = len(wanted & words)
        score = 2 * common / (len(wanted) + len(words)) if common else 0.0
        if score > best_score:
            best, best_score = value, score
    return _found(best, best_score, question)


@dataclass(frozen=True)
class ExtractionModel:
    """What a successful job that tunes arctic-extract produces."""

    examples: tuple[Example, ...]
    validation_examples: tuple[Example, ...] = ()
    epochs: int = 3

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The questions of all training documents, each label once."""
        labels = {each.label: each for example in self.examples for each in example.questions}
        return tuple(labels.values())

    def extract(self, text: str, question: Question) -> Found:
        """Return what stands after words that were learned, or else an untuned model's answer."""
        found = None if question.columns else self._learned.find(text, question)
        return untuned(text, question) if found is None else found

    @cached_property
    def _learned(self) -> "_Contexts":
        return _Contexts(self.examples)

    @cached_property
    def trained_tokens(self) -> int:
        """Tokens of the documents, questions and answers, times epochs."""
        return self.epochs * sum(
            count_tokens(example.text)
            + sum(count_tokens(question.text) for question in example.questions)
            + sum(count_tokens(str(answer)) for answer in example.answers.values())
            for example in self.examples
        )

    @cached_property
    def training_result(self) -> dict[str, float]:
        """The shares of wrong answers. Real losses are cross-entropies."""
        training, validation = self.examples, self.validation_examples
        if not validation:
            training, validation = hold_out(self.examples)
        return {
            "validation_loss": _loss(ExtractionModel(training), validation),
            "training_loss": _loss(self, self.examples),
        }


class _Contexts:
    """For each label: the words that stood before the answers, and the answers' shapes."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._right: dict[str, Counter[str]] = {}
        """How often the answer stood after these words."""
        self._met: dict[str, Counter[str]] = {}
        """How often anything stood after these words, in the same documents."""
        self._shapes: dict[str, set[str]] = {}
        for example in examples:
            values = list(document_fields.values(example.text))
            for label, answer in example.answers.items():
                self._learn(label, _text(answer), values)

    def _learn(self, label: str, answer: str, values: Sequence[tuple[str, str]]) -> None:
        if answer in ("", NO_ANSWER):
            return
        right = self._right.setdefault(label, Counter())
        met = self._met.setdefault(label, Counter())
        self._shapes.setdefault(label, set()).add(document_fields.shape(answer))
        for before, value in values:
            met[before] += 1
            if document_fields.begins_with(value, answer):
                right[before] += 1

    def find(self, text: str, question: Question) -> Found | None:
        """Return the value after the words that most often stood before an answer, or None."""
        matches = self._matches(text, question.label)
        best = max(matches, key=lambda match: match[0], default=None)
        return None if best is None else _found(best[1], best[0], question)

    def _matches(self, text: str, label: str) -> Iterator[tuple[float, str]]:
        """Yield how good each value of a text is, and the value."""
        right, met = self._right.get(label, Counter()), self._met.get(label, Counter())
        shapes = self._shapes.get(label, set())
        for before, value in document_fields.values(text):
            if not right[before]:
                continue
            # Words that often stood before an answer, and seldom before anything else.
            score = right[before] / (met[before] + 1)
            fitting = (
                part
                for part in document_fields.beginnings(value)
                if document_fields.shape(part) in shapes
            )
            part = next(fitting, None)
            yield (score / 2, value) if part is None else (score / 2 + 0.5, part)


def _found(value: str, score: float, question: Question) -> Found:
    """Return a value as the question wants it."""
    score = round(score, 2)
    if question.is_list:
        return Found(document_fields.items(value), score)
    return Found(value or NO_ANSWER, score)


def _text(answer: object) -> str:
    """Return an answer of the training data as text: of a list, its first item."""
    if isinstance(answer, list):
        return str(answer[0]) if answer else ""
    return "" if isinstance(answer, dict) or answer is None else str(answer)


def _loss(model: ExtractionModel, examples: Sequence[Example]) -> float:
    wrong = [
        model.extract(example.text, question).answer != _answer(example, question)
        for example in examples
        for question in example.questions
    ]
    return sum(wrong) / len(wrong) if wrong else 0.0


def _answer(example: Example, question: Question) -> object:
    """Return the right answer, in the form in which the model gives it."""
    answer = example.answers.get(question.label)
    return answer if isinstance(answer, list | dict) else str(answer)
