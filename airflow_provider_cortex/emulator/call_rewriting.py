"""
Replaces the calls of Cortex functions in a statement by calls of one DuckDB function.

The arguments travel as JSON. So DuckDB has to know a single function with one argument, whatever
the case of the original's name, the number of its arguments, and whether they are named.
"""

import json
from collections.abc import Collection, Iterator

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.sql_errors import too_many_calls, unknown_function

UDF = "_cortex"
"""``_cortex([database, schema, function, [positional arguments], {named arguments}])``."""

_CORTEX = ("SNOWFLAKE.CORTEX.", "AI_")

# With one of these, AI_COMPLETE returns an OBJECT instead of text.
_OBJECT_ARGUMENTS = {"response_format", "show_details", "return_error_details"}
_TEXT_ARGUMENTS = 3

# The functions that return a number, and its type.
_NUMBERS = {"AI_SIMILARITY": "DOUBLE"}

# The functions that always return an OBJECT or a FILE.
_OBJECTS = {"AI_EXTRACT", "SNOWFLAKE.CORTEX.AI_EXTRACT", "TO_FILE", "TRY_TO_FILE"}


def rewrite(
    statement: Expr, *, functions: Collection[str], namespace: Namespace, limit: int | None
) -> Expr:
    """
    Return *statement* with every call of one of *functions* replaced, nested calls included.

    It is changed in place: fakesnow changes it afterwards, too.

    :param limit: how many calls of Cortex functions are allowed; None for any number.
    :raises SqlError: for an unknown Cortex function, or too many calls.
    """
    found = calls(statement)
    known = sum(name in functions and name.startswith(_CORTEX) for name, _ in found)
    if limit is not None and known > limit:
        raise too_many_calls(known, limit=limit)
    for name, node in reversed(found):  # innermost calls first
        if name in functions:
            node.replace(_replacement(node, name, namespace))
        elif name.startswith(_CORTEX):
            raise unknown_function(name)
    return statement


def calls(statement: Expr) -> list[tuple[str, Expr]]:
    """Return the calls of functions that sqlglot does not know, outer calls before inner ones."""
    nodes = [node for node in statement.find_all(exp.Dot, exp.Anonymous) if _is_call(node)]
    return [(function_name(node), node) for node in nodes]


def function_name(call: Expr) -> str:
    """Return the name of the function that is called, in capitals."""
    return ".".join(_parts(call)).upper()


def arguments(call: Expr) -> tuple[list[Expr], dict[str, Expr]]:
    """Return the positional arguments of a call, and the named ones by their names."""
    given = (call.expression if isinstance(call, exp.Dot) else call).expressions
    named = {a.name.lower(): a.expression for a in given if isinstance(a, exp.Kwarg)}
    return [a for a in given if not isinstance(a, exp.Kwarg)], named


def call(function: str, namespace: Namespace, *arguments: str | None) -> Expr:
    """Return a call of *function* with constant arguments."""
    return udf_call(function, namespace, [_text(value) for value in arguments], {})


def selects_only_calls(statement: Expr) -> bool:
    """Return whether a rewritten *statement* is nothing but a SELECT of such calls."""
    other_clauses = [value for part, value in statement.args.items() if part != "expressions"]
    return (
        isinstance(statement, exp.Select)
        and not any(other_clauses)
        and all(_is_constant_call(column) for column in statement.expressions)
    )


def _is_constant_call(column: Expr) -> bool:
    return (
        isinstance(column, exp.Anonymous) and column.name == UDF and column.expressions[0].is_string
    )


def _is_call(node: Expr) -> bool:
    if isinstance(node, exp.Dot):
        return isinstance(node.expression, exp.Anonymous)
    return not isinstance(node.parent, exp.Dot)


def _parts(node: Expr) -> Iterator[str]:
    """Yield the parts of a function's name."""
    if isinstance(node, exp.Dot):
        yield from _parts(node.this)
        yield from _parts(node.expression)
    else:
        yield node.name


def _replacement(node: Expr, name: str, namespace: Namespace) -> Expr:
    positional, named = arguments(node)
    call = udf_call(name, namespace, positional, named)
    if name in _NUMBERS:
        return exp.cast(call, _NUMBERS[name])
    if name in _OBJECTS:
        return exp.cast(call, "JSON")
    for_object = [
        *positional[_TEXT_ARGUMENTS:],
        *(named[key] for key in _OBJECT_ARGUMENTS & set(named)),
    ]
    is_object = name.endswith("AI_COMPLETE") and any(map(is_given, for_object))
    return exp.cast(call, "JSON") if is_object else call


def udf_call(
    name: str, namespace: Namespace, positional: list[Expr], named: dict[str, Expr]
) -> Expr:
    """Return a call of the function *name* by way of the one that DuckDB knows."""
    head = (namespace.database, namespace.schema, name)
    return _function(UDF, _as_json(head, positional, named))


def _as_json(head: tuple[str | None, ...], positional: list[Expr], named: dict[str, Expr]) -> Expr:
    if not named and all(_is_constant(argument) for argument in positional):
        # One literal is faster, and a statement may contain hundreds of DESCRIBEs.
        constants = [None if isinstance(a, exp.Null) else a.name for a in positional]
        return _text(json.dumps([*head, constants, {}]))
    pairs = [part for key, value in named.items() for part in (_text(key), _keep_keys(value))]
    return _function(
        "json_array",
        *map(_text, head),
        _function("json_array", *map(_keep_keys, positional)),
        _function("json_object", *pairs),
    )


def _is_constant(argument: Expr) -> bool:
    return argument.is_string or isinstance(argument, exp.Null)


def _keep_keys(argument: Expr) -> Expr:
    """Quote the keys of an object literal. Otherwise fakesnow writes them in capitals."""
    for pair in argument.find_all(exp.PropertyEQ):
        if isinstance(pair.this, exp.Identifier):
            pair.this.set("quoted", True)
    return argument


def is_given(argument: Expr) -> bool:
    """Return whether an optional argument is neither NULL nor FALSE."""
    # The value of a bound TRUE is unknown here: then the object arrives as text.
    is_false = isinstance(argument, exp.Boolean) and not argument.this
    return not (is_false or isinstance(argument, exp.Null | exp.Placeholder))


def _function(name: str, *arguments: Expr) -> Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _text(value: str | None) -> Expr:
    return exp.Null() if value is None else exp.Literal.string(value)
