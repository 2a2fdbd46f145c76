"""What a statement returns that is executed here: a SELECT, which fakesnow executes."""

from collections.abc import Sequence

from sqlglot import exp

SUCCESS = "Statement executed successfully."


def status(text: str) -> str:
    """Return a SELECT of one status."""
    return f'SELECT {exp.Literal.string(text).sql("snowflake")} AS "status"'


def select(columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> str:
    """Return a SELECT of a few rows."""
    values = exp.values([tuple(row) for row in rows] or [columns])
    names = (
        exp.alias_(exp.column(f"COLUMN{number}"), column, quoted=True)
        for number, column in enumerate(columns, start=1)
    )
    selected = exp.select(*names).from_(values)
    return (selected if rows else selected.where(exp.false())).sql("snowflake")
