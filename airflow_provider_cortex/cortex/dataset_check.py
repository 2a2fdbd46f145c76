"""
The SQL that checks the rows of a dataset for arctic-extract inside Snowflake: one row comes back.

Source: https://docs.snowflake.com/en/user-guide/snowflake-cortex/arctic-extract-finetuning
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_cortex.cortex.dataset import COLUMNS
from airflow_provider_cortex.cortex.destination import quoted
from airflow_provider_cortex.cortex.rendered_values import as_float
from airflow_provider_cortex.cortex.response_format import MAX_QUESTIONS, MAX_TABLES
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import ArgumentError, QueryError, UnreadableAnswerError
from airflow_provider_cortex.safe_text import excerpt, for_log

RECOMMENDED_FILES = 20
MAX_FILES = 1_000
MAX_QUESTION_PAGES = 50_000

SHOWN_CHARACTERS = 200
"""Of an example for an error: so much of it leaves Snowflake."""


@dataclass(frozen=True)
class Problem:
    """
    Rows that Cortex cannot be trained with.

    :param condition: what is true of each of them, in SQL.
    :param example: the value of one of them that an error shows, in SQL.
    :param words: what is wrong with them.
    """

    condition: str
    example: str
    words: str


# Guess missing-file: TRY_TO_FILE returns NULL for a path on a stage at which there is no file, as in
# the example on https://docs.snowflake.com/en/sql-reference/functions/try_to_file. If wrong: a
# dataset whose documents are missing is made, and the job fails.
PROBLEMS: Mapping[str, Problem] = {
    "null_rows": Problem(
        "file IS NULL OR prompt IS NULL OR response IS NULL",
        "COALESCE(file, prompt, response)",
        "have NULL as file, prompt or response",
    ),
    "missing_files": Problem(
        "file IS NOT NULL AND TRY_TO_FILE(file) IS NULL",
        "file",
        "name a file that is not on its stage, or that the role may not read",
    ),
    "unreadable_prompts": Problem(
        "prompt IS NOT NULL AND NOT is_prompt",
        "prompt",
        "have a prompt that is no JSON object or array with questions",
    ),
    "unreadable_responses": Problem(
        "response IS NOT NULL AND NOT is_response",
        "response",
        "have a response that is no JSON object",
    ),
    "unequal_keys": Problem(
        "is_prompt AND is_response AND (answered <> questions OR response_keys <> questions)",
        "response",
        "have other keys in the response than labels in the prompt",
    ),
    "rows_with_many_questions": Problem(
        f"questions > IFF(is_schema, {MAX_QUESTIONS + MAX_TABLES}, {MAX_QUESTIONS})",
        "file",
        f"ask more than {MAX_QUESTIONS} questions, or with a schema {MAX_QUESTIONS + MAX_TABLES}",
    ),
}
"""The figures that must be 0."""


@dataclass(frozen=True, kw_only=True)
class DocumentFigures:
    """What was measured of the rows of a dataset."""

    rows: int
    files: int
    """Different ones."""
    questions: int
    """Those of all rows."""
    most_questions: int
    """The most of one row."""
    null_rows: int
    missing_files: int
    unreadable_prompts: int
    unreadable_responses: int
    unequal_keys: int
    rows_with_many_questions: int
    examples: Mapping[str, str]
    """For each problem that there is, the value of one row."""

    def problems(self) -> Iterator[str]:
        """Yield, in words, each reason why Cortex could not be trained with these rows."""
        if not self.rows:
            yield "it has no rows"
        for figure, problem in PROBLEMS.items():
            count: int = getattr(self, figure)
            if count:
                example = self.examples.get(figure)
                shown = f", such as {for_log(excerpt(example))!r}" if example else ""
                yield f"{count:,} of {self.rows:,} rows {problem.words}{shown}"
        if self.files > MAX_FILES:
            yield f"it has {self.files:,} different files, more than {MAX_FILES:,}"
        # Guess question-count: Snowflake adds up the questions of each row, times the pages of its
        # document. SQL knows no pages, but each document has one. If wrong: a dataset is refused
        # that Snowflake would take, or fails its job. No live check: a job with so many documents
        # is paid for.
        if self.questions > MAX_QUESTION_PAGES:
            yield (
                f"it has {self.questions:,} questions about documents of at least one page each,"
                f" more than {MAX_QUESTION_PAGES:,} questions times pages"
            )

    def check(self) -> None:
        """
        Check that Cortex can be trained with these rows.

        :raises ArgumentError: if not; it names each reason, with an example.
        """
        if problems := list(self.problems()):
            raise ArgumentError(
                "query",
                None,
                f"has rows that arctic-extract cannot be trained with: {'; '.join(problems)}.",
                "No version was added. Correct the rows or the query, and clear this task.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON: no value of a row is among them."""
        figures = asdict(self)
        del figures["examples"]
        return figures


def columns(found: Sequence[str]) -> dict[str, str]:
    """
    Return the column of a query for each column that Cortex reads, in any case.

    :raises QueryError: if one is missing, or there are several of it.
    """
    chosen = {}
    for name in COLUMNS:
        same = [column for column in found if column.lower() == name]
        if len(same) != 1:
            has = "has no column" if not same else "has several columns"
            names = excerpt(", ".join(map(quoted, found)))
            raise QueryError(
                "query",
                f"{has} {name}: its columns are {names}. It needs file, prompt and response.",
            )
        chosen[name] = same[0]
    return chosen


def rows(query: str, chosen: Mapping[str, str]) -> str:
    """
    Return the query for the rows of the dataset: its three columns, as text.

    :param chosen: as :func:`columns` returns them.
    """
    texts = (f'{quoted(column)}::VARCHAR AS "{name}"' for name, column in chosen.items())
    return f"SELECT {', '.join(texts)} FROM ({query})"  # noqa: S608 - the user's own query


# Guess array-labels: in a prompt that is an array, the label of a question is the first element of an
# array [label, question]; of a text "label: question" what precedes the colon; of any other text
# the text itself. If wrong: rows are refused, or counted, that Cortex reads in another way. No live
# check: it needs a job with documents, which is paid for.
_LABEL = (
    "CASE WHEN LEFT(TO_JSON(questions), 1) = '{' THEN item.key"
    " WHEN LEFT(TO_JSON(item.value), 1) = '[' THEN item.value[0]::VARCHAR"
    " WHEN (GET(answer, item.value::VARCHAR)) IS NOT NULL THEN item.value::VARCHAR"
    " ELSE TRIM(SPLIT_PART(item.value::VARCHAR, ':', 1)) END"
)


def statement(query: str) -> Call:
    """
    Return the statement that checks rows, with one row of :data:`WIDTH` columns.

    :param query: as :func:`rows` returns it.
    """
    numbered = (
        'SELECT ROW_NUMBER() OVER (ORDER BY "file") AS id, "file" AS file, "prompt" AS prompt,'  # noqa: S608 - the user's own query
        ' "response" AS response, TRY_PARSE_JSON("prompt") AS asked,'
        f' TRY_PARSE_JSON("response") AS answer FROM ({query})'
    )
    # A schema's questions are its properties. Nothing is empty here: FLATTEN would skip the row.
    asked = (
        "SELECT *, COALESCE(LEFT(TO_JSON(asked:schema), 1) = '{', FALSE) AS is_schema,"  # noqa: S608 - as above
        " IFF(COALESCE(LEFT(TO_JSON(asked:schema), 1) = '{', FALSE), asked:schema:properties, asked)"
        f" AS questions FROM ({numbered})"
    )
    checked = (
        "SELECT *, COALESCE(LEFT(TO_JSON(questions), 1) IN ('{', '[')"  # noqa: S608 - as above
        " AND TO_JSON(questions) NOT IN ('{}', '[]'), FALSE) AS is_prompt,"
        " COALESCE(LEFT(TO_JSON(answer), 1) = '{', FALSE) AS is_response"
        f" FROM ({asked})"
    )
    labelled = (
        f"SELECT id, file, prompt, response, answer, is_schema, is_prompt, is_response,"  # noqa: S608 - as above
        f" IFF(is_prompt, {_LABEL}, NULL) AS label FROM ({checked}),"
        " LATERAL FLATTEN(INPUT => IFF(is_prompt, questions, PARSE_JSON('[null]'))) item"
    )
    compared = f"SELECT *, (GET(answer, label)) IS NOT NULL AS is_answered FROM ({labelled})"  # noqa: S608 - as above
    each = ", ".join(
        f"ANY_VALUE({name}) AS {name}"
        for name in ("file", "prompt", "response", "is_schema", "is_prompt", "is_response")
    )
    by_row = (
        f"SELECT {each}, COUNT(DISTINCT label) AS questions,"  # noqa: S608 - as above
        " COUNT(DISTINCT IFF(is_answered, label, NULL)) AS answered,"
        " ANY_VALUE(IFF(is_response, ARRAY_SIZE(OBJECT_KEYS(answer)), NULL)) AS response_keys"
        f" FROM ({compared}) GROUP BY id"
    )
    figures = ", ".join(
        f"COUNT_IF({problem.condition}),"
        f" MIN(IFF({problem.condition}, LEFT({problem.example}, {SHOWN_CHARACTERS}), NULL))"
        for problem in PROBLEMS.values()
    )
    return Call(
        "SELECT COUNT(*), COUNT(DISTINCT file), SUM(questions), MAX(questions),"  # noqa: S608 - as above
        f" {figures} FROM ({by_row})",
        (),
        only_reads=True,
    )


_FIGURES = ("rows", "files", "questions", "most_questions")

WIDTH = len(_FIGURES) + 2 * len(PROBLEMS)
"""How many columns a :func:`statement` has."""


def figures(row: Sequence[object]) -> DocumentFigures:
    """
    Return the figures in the row of a :func:`statement`.

    :raises UnreadableAnswerError: if a count is not a number.
    """
    cells, pairs = row[: len(_FIGURES)], row[len(_FIGURES) :]
    counts = dict(zip([*_FIGURES, *PROBLEMS], _counts([*cells, *pairs[::2]]), strict=True))
    examples = {
        figure: str(example)
        for figure, example in zip(PROBLEMS, pairs[1::2], strict=True)
        if example is not None
    }
    return DocumentFigures(**counts, examples=examples)


def _counts(cells: Iterable[object]) -> Iterator[int]:
    for cell in cells:
        number = 0.0 if cell is None else as_float(cell)  # the sum of no rows is NULL
        if not number >= 0:
            raise UnreadableAnswerError("which should be numbers", cell)
        yield int(number)
