"""
Finds the calls of Cortex functions in a statement, and makes them calls of one of ours.

Their arguments travel as JSON, so DuckDB needs to know a single function of fixed shape, and
any case of the name, named arguments and any number of them are nobody's concern any more.
"""

import json
from collections.abc import Collection, Iterator

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.errors import too_many_calls, unknown_function
from airflow_provider_cortex.emulator.names import Place

UDF = "_cortex"
"""``_cortex([database, schema, function, [positional arguments], {named arguments}])``."""

_CORTEX = "SNOWFLAKE.CORTEX."

# With one of these, AI_COMPLETE returns an OBJECT instead of text.
_OBJECT_MAKERS = {"response_format", "show_details", "return_error_details"}
_TEXT_ARGUMENTS = 3


def rewrite(
    statement: Expr, *, functions: Collection[str], place: Place, limit: int | None
) -> Expr:
    """
    Return *statement* with every call of one of *functions* replaced, nested ones too.

    It is changed in place, as fakesnow does with it afterwards.

    :param limit: how many calls of Cortex there may be.
    """
    nodes = [node for node in statement.find_all(exp.Dot, exp.Anonymous) if _is_call(node)]
    calls = [(".".join(_parts(node)).upper(), node) for node in nodes]
    known = sum(name in functions for name, _ in calls)
    if limit is not None and known > limit:
        raise too_many_calls(known, limit=limit)
    for name, node in reversed(calls):  # the innermost first
        if name in functions:
            node.replace(_call(node, name, place))
        elif name.startswith(_CORTEX):
            raise unknown_function(name)
    return statement


def call(function: str, place: Place, *arguments: str | None) -> Expr:
    """Return a call of one of our functions with constant arguments."""
    head = (place.database, place.schema, function)
    constants: list[Expr] = [
        exp.Null() if value is None else exp.Literal.string(value) for value in arguments
    ]
    return _function(UDF, _packed(head, constants, {}))


def is_plain(statement: Expr) -> bool:
    """Return whether *statement*, rewritten, selects such calls and has nothing else about it."""
    beside = [value for part, value in statement.args.items() if part != "expressions"]
    return (
        isinstance(statement, exp.Select)
        and not any(beside)
        and all(_is_one_literal(column) for column in statement.expressions)
    )


def _is_one_literal(column: Expr) -> bool:
    return (
        isinstance(column, exp.Anonymous) and column.name == UDF and column.expressions[0].is_string
    )


def _is_call(node: Expr) -> bool:
    if isinstance(node, exp.Dot):
        return isinstance(node.expression, exp.Anonymous)
    return not isinstance(node.parent, exp.Dot)


def _parts(node: Expr) -> Iterator[str]:
    if isinstance(node, exp.Dot):
        yield from _parts(node.this)
        yield from _parts(node.expression)
    else:
        yield node.name


def _call(node: Expr, name: str, place: Place) -> Expr:
    arguments = (node.expression if isinstance(node, exp.Dot) else node).expressions
    named = {a.name.lower(): a.expression for a in arguments if isinstance(a, exp.Kwarg)}
    positional = [a for a in arguments if not isinstance(a, exp.Kwarg)]
    call = _function(UDF, _packed((place.database, place.schema, name), positional, named))
    makers = [*positional[_TEXT_ARGUMENTS:], *(named[key] for key in _OBJECT_MAKERS & set(named))]
    is_object = name.endswith("AI_COMPLETE") and any(map(_is_given, makers))
    return exp.cast(call, "JSON") if is_object else call


def _packed(head: tuple[str | None, ...], positional: list[Expr], named: dict[str, Expr]) -> Expr:
    if not named and all(_is_constant(argument) for argument in positional):
        # The same as one literal: there may be hundreds of DESCRIBEs in a statement.
        constants = [None if isinstance(a, exp.Null) else a.name for a in positional]
        return _text(json.dumps([*head, constants, {}]))
    pairs = [part for key, value in named.items() for part in (_text(key), _plain(value))]
    return _function(
        "json_array",
        *map(_text, head),
        _function("json_array", *map(_plain, positional)),
        _function("json_object", *pairs),
    )


def _is_constant(argument: Expr) -> bool:
    return argument.is_string or isinstance(argument, exp.Null)


def _plain(argument: Expr) -> Expr:
    """Keep fakesnow from writing the keys of an object literal in capitals."""
    for pair in argument.find_all(exp.PropertyEQ):
        if isinstance(pair.this, exp.Identifier):
            pair.this.set("quoted", True)
    return argument


def _is_given(argument: Expr) -> bool:
    # A bound TRUE is not seen from here: the same text arrives, as text instead of OBJECT.
    is_false = isinstance(argument, exp.Boolean) and not argument.this
    return not (is_false or isinstance(argument, exp.Null | exp.Placeholder))


def _function(name: str, *arguments: Expr) -> Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _text(value: str | None) -> Expr:
    return exp.Null() if value is None else exp.Literal.string(value)
