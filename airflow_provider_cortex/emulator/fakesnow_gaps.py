"""
Snowflake SQL that is common around Cortex's functions, and that fakesnow does not translate.

fakesnow translates everything else: https://github.com/tekumara/fakesnow
"""

import re

from fakesnow.params import MutableParams, pop_qmark_param
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.session_context import is_column
from airflow_provider_cortex.emulator.sql_errors import (
    SqlError,
    already_exists,
    invalid_identifier,
    not_emulated,
)

# The emulator has no grants, and keeps nothing after it stops.
_IGNORED_PROPERTIES = (exp.CopyGrantsProperty, exp.TransientProperty)

# DuckDB has one exception for these errors and for others, so its words decide. If a release has
# other words, clients get fakesnow's error number instead of Snowflake's.
_UNKNOWN_COLUMN = re.compile(
    r'(?:Referenced column|a column named|a column with name|update column) "?([^"\s]+)'
)
_EXISTS = re.compile(r'\w+ with name "([^"]+)" already exists')


def translate(statement: Expr, params: MutableParams | None) -> Expr:
    """
    Return *statement* in words that fakesnow knows.

    It is changed in place, and bound values that are used are removed from *params*.
    """
    kinds = (
        exp.Cast,
        exp.Create,
        exp.DynamicIdentifier,
        exp.GetExtract,
        exp.Parameter,
        exp.TableSample,
        exp.ToChar,
    )
    for node in [*statement.find_all(exp.Values, exp.AISimilarity), *statement.find_all(*kinds)]:
        match node:
            case exp.AISimilarity():
                # A function that sqlglot knows, and that is none of fakesnow's.
                node.replace(exp.Anonymous(this="AI_SIMILARITY", expressions=node.expressions))
            case exp.Cast() | exp.ToChar():
                _unquote(node)
            case exp.Create():
                _drop_ignored_properties(node)
            case exp.Parameter(this=exp.Literal(is_string=False)):
                _name_position(node)
            case exp.Values():
                _name_columns(node)
            case exp.DynamicIdentifier(parent=exp.Table() as table):
                # fakesnow takes '"a"."b"' for one name.
                table.replace(exp.to_table(text(node.this, params), dialect="snowflake"))
            case exp.GetExtract(expression=exp.Literal() as key):
                node.replace(exp.Bracket(this=node.this, expressions=[key]))
            case exp.TableSample() if node.args.get("size"):
                # DuckDB's only method for a number of rows; sqlglot would warn of another one.
                node.set("method", exp.var("RESERVOIR"))
    return statement


def _unquote(conversion: Expr) -> None:
    """Have a text in JSON converted without its quotes, which DuckDB would keep."""
    match conversion:
        case exp.ToChar(this=exp.JSONExtract() | exp.Bracket() as value) if not conversion.args.get(
            "format"
        ):
            conversion.replace(exp.cast(value, "VARCHAR"))
        case exp.Cast(this=exp.Bracket(expressions=[exp.Column() as key]) as value) if (
            conversion.is_type(exp.DataType.Type.VARCHAR)
        ):
            arguments = [value.this, key]
            conversion.replace(exp.Anonymous(this="json_extract_string", expressions=arguments))


def text(constant: Expr, params: MutableParams | None) -> str:
    """Return the value of a text constant or a placeholder, whose bound value is removed."""
    if not isinstance(constant, exp.Placeholder):
        return constant.name
    value = str(pop_qmark_param(params, constant.root(), constant))
    constant.replace(exp.Literal.string(value))
    return value


def translate_error(error: ProgrammingError, sql: str) -> SqlError | None:
    """Return Snowflake's error instead of DuckDB's, for those that a client must distinguish."""
    message = str(error.raw_msg)
    if unknown := _UNKNOWN_COLUMN.search(message):
        name = unknown[1]
        return invalid_identifier(f'"{name}"' if f'"{name}"' in sql else name)
    if existing := _EXISTS.search(message):
        return already_exists(existing[1])
    return None


def _name_columns(values: exp.Values) -> None:
    """Call the columns of VALUES with an alias COLUMN1, COLUMN2…; fakesnow does it for others."""
    alias, rows = values.args.get("alias"), values.find_all(exp.Tuple)
    if alias and not alias.columns and (row := next(rows, None)):
        names = (f"COLUMN{number}" for number, _ in enumerate(row.expressions, start=1))
        alias.set("columns", [exp.to_identifier(name, quoted=True) for name in names])


def _name_position(parameter: exp.Parameter) -> None:
    """Write $1 as the name of the first column of VALUES, or as #1, DuckDB's word for it."""
    column = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
    select = column.find_ancestor(exp.Select)
    if select is None or parameter.find_ancestor(exp.Copy):
        return  # of a file on a stage
    from_ = select.args.get("from_")
    joined = [join.this for join in select.args.get("joins") or []]
    sources = [from_.this, *joined] if from_ else []
    if table := column.args.get("table"):
        sources = [source for source in sources if source.alias.upper() == table.name.upper()]
    if len(sources) == 1 and isinstance(sources[0], exp.Values):
        position = _column_of_values(sources[0], int(parameter.name))
    elif joined:
        raise not_emulated("columns by position in joins of tables")
    else:
        position = exp.var(f"#{parameter.name}")
        if isinstance(column.find_ancestor(exp.Select, exp.Order), exp.Order):
            # There, #1 alone is the first column of the result.
            position = exp.func("COALESCE", position, exp.null())
    if is_column(column):
        position = exp.alias_(position, f"${parameter.name}", quoted=True)
    column.replace(position)


def _column_of_values(values: exp.Values, number: int) -> Expr:
    alias = values.args.get("alias")
    names = alias.columns if alias else []
    name = names[number - 1].copy() if number <= len(names) else f"COLUMN{number}"
    return exp.column(name, table=alias.this.copy() if alias else None)


def _drop_ignored_properties(create: exp.Create) -> None:
    for kind in _IGNORED_PROPERTIES:
        for node in list(create.find_all(kind)):
            node.pop()
