"""
Functions that users define in SQL.

A call is replaced by the function's body. So the body may contain whatever a statement may: calls
of Cortex, of other functions, and queries.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import SqlglotError

from airflow_provider_cortex.emulator import call_rewriting, name_resolution, statement_text
from airflow_provider_cortex.emulator.model_statements import like_pattern
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.session_context import is_column
from airflow_provider_cortex.emulator.sql_errors import (
    already_exists,
    invalid_arguments,
    not_emulated,
    syntax_error,
    unknown_object,
)
from airflow_provider_cortex.emulator.tracked_job import Grants

CREATE = rf"""CREATE\s+(?P<or_replace>OR\s+REPLACE\s+)?(?:(?:SECURE|TEMP|TEMPORARY)\s+)*FUNCTION\s+
(?P<if_not_exists>IF\s+NOT\s+EXISTS\s+)?
(?P<header>\S.*?\bRETURNS\s.+?)
(?P<options>(?:\s+
(?:NOT\s+NULL|NULL|LANGUAGE|CALLED|RETURNS|STRICT|VOLATILE|IMMUTABLE|MEMOIZABLE|COMMENT|COPY)\b
(?:'(?:[^'\\]|\\.|'')*+'|[^'])*?)?)
\s+AS\s*(?P<body>{statement_text.CONSTANT})""".replace("\n", "")
"""A pattern for CREATE FUNCTION. Of its options, the comment and COPY GRANTS have an effect."""

COLUMNS = (
    "created_on",
    "name",
    "schema_name",
    "is_builtin",
    "is_aggregate",
    "is_ansi",
    "min_num_arguments",
    "max_num_arguments",
    "arguments",
    "description",
    "catalog_name",
    "is_table_function",
    "valid_for_clustering",
    "is_secure",
    "is_external_function",
    "language",
)
"""
The columns of SHOW USER FUNCTIONS, except for the newest, which are about other languages.

https://docs.snowflake.com/en/sql-reference/sql/show-user-functions
"""

# They hold any value, so a cast to JSON would read text instead of keeping it.
_SEMI_STRUCTURED = {exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.ARRAY}

# Types that are one type in Snowflake, by the name that it gives them.
_TYPE_NAMES = (
    ({*exp.DataType.INTEGER_TYPES, exp.DType.DECIMAL}, "NUMBER"),
    (exp.DataType.FLOAT_TYPES, "FLOAT"),
    (exp.DataType.TEXT_TYPES, "VARCHAR"),
)

# What a row of arguments is called.
_ARGUMENTS = "_arguments"

# How deep calls of functions in functions may be.
_DEPTH = 20

_SCRIPTING = {"BEGIN", "DECLARE"}


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    """As it was written: in capitals, unless it was quoted."""
    parameters: Mapping[str, exp.DataType]
    defaults: Mapping[str, Expr]
    returns: exp.DataType
    body: Expr
    comment: str = ""
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    grants: Grants = field(default_factory=dict)

    @property
    def signature(self) -> tuple[str, ...]:
        return tuple(map(_type_name, self.parameters.values()))

    def record(self, *, database: str, schema: str) -> list[object]:
        """Return the values of :data:`COLUMNS`."""
        least = len(self.parameters) - len(self.defaults)
        types = [
            f"DEFAULT {type_}" if name in self.defaults else type_
            for name, type_ in zip(self.parameters, self.signature, strict=True)
        ]
        # As on Snowflake's page.
        arguments = f"{self.name}({', '.join(types)}) RETURN {_type_name(self.returns)}"
        values = {
            "created_on": self.created_on,
            "name": self.name,
            "schema_name": schema,
            "min_num_arguments": least,
            "max_num_arguments": len(self.parameters),
            "arguments": arguments,
            # The comment (guess alias-comment); the page shows this text for one without it.
            "description": self.comment or "user-defined function",
            "catalog_name": database,
            "language": "SQL",
        }
        return [values.get(column, "N") for column in COLUMNS]

    def accepts(self, count: int) -> bool:
        return len(self.parameters) - len(self.defaults) <= count <= len(self.parameters)

    def applied(self, positional: list[Expr], named: Mapping[str, Expr]) -> Expr:
        """Return the body with arguments instead of parameters."""
        given = dict(zip(self.parameters, positional, strict=False))
        arguments = {**self.defaults, **given, **named}
        values = {
            name: _cast(value.copy(), self.parameters[name]) for name, value in arguments.items()
        }
        if not isinstance(self.body, exp.Subquery):
            return _cast(_replaced(self.body, values), self.returns)
        # The tables of a query may have columns with the names of those in the arguments.
        alias = exp.to_identifier(_ARGUMENTS)
        columns = {name: exp.column(exp.to_identifier(name, quoted=True), alias) for name in values}
        row = exp.select(*(exp.alias_(value, name, quoted=True) for name, value in values.items()))
        body = exp.select(_replaced(self.body, columns))
        if values:
            body = body.from_(row.subquery(alias))
        return _cast(body.subquery(), self.returns)


@dataclass
class UserFunctions:
    """The functions of an account."""

    _functions: dict[NameKey, list[_Function]] = field(default_factory=dict)

    def create(
        self,
        header: str,
        body: str,
        namespace: Namespace,
        *,
        comment: str = "",
        or_replace: bool,
        if_not_exists: bool,
        copy_grants: bool = False,
    ) -> str:
        """
        Add a function, and return the statement's status.

        :param header: its name, parameters and type.
        :param body: a text constant.
        :param copy_grants: whether it takes on the grants of a function that it replaces.
        :raises SqlError: if the body is no SQL, or the function exists.
        """
        create = _parsed(f"CREATE FUNCTION {header} AS ''")
        key = _key(create.this.this, namespace, "CREATE FUNCTION")
        function = _function(create, _body(body), Namespace(*key[:2]))
        function = replace(function, comment=comment)
        others = self._functions.setdefault(key, [])
        same = [other for other in others if other.signature == function.signature]
        if same and not or_replace:
            if if_not_exists:
                return f"{key[-1]} already exists, statement succeeded."
            raise already_exists(key[-1])
        kept = [other for other in others if other not in same]
        if any(len(other.parameters) == len(function.parameters) for other in kept):
            raise not_emulated("functions that differ only in the types of their arguments")
        if same and copy_grants:
            function.grants.update(same[0].grants)
        self._functions[key] = [*kept, function]
        return f"Function {key[-1]} successfully created."

    def drop(self, signature: str, namespace: Namespace, *, if_exists: bool) -> str:
        """
        Remove a function, and return the statement's status.

        :param signature: its name and the types of its arguments.
        :raises SqlError: if there is none.
        """
        key, types = _signature(signature, namespace, "DROP FUNCTION")
        functions = self._functions.get(key, [])
        kept = [function for function in functions if function.signature != types]
        if len(kept) < len(functions):
            self._functions[key] = kept
            return f"{key[-1]} successfully dropped."
        if if_exists:
            return f"Drop statement executed successfully ({key[-1]} already dropped)."
        raise unknown_object("Function", key[-1])

    def grants(self, signature: str, namespace: Namespace) -> Grants:
        """
        Return the grants on a function, to read and to change.

        :param signature: its name and the types of its arguments.
        :raises SqlError: if there is none.
        """
        key, types = _signature(signature, namespace, "GRANT")
        for function in self._functions.get(key, []):
            if function.signature == types:
                return function.grants
        raise unknown_object("Function", key[-1])

    def show(self, prefix: NameKey, like: str | None) -> Iterator[list[object]]:
        """
        Yield the values of :data:`COLUMNS` for each function.

        :param prefix: the database, or database and schema; empty for the whole account.
        """
        for key, functions in sorted(self._functions.items()):
            for function in functions:
                if key[: len(prefix)] == prefix and like_pattern(like).fullmatch(function.name):
                    yield function.record(database=key[0], schema=key[1])

    def forget(self, names: tuple[str, ...]) -> None:
        """Remove the functions of a database or schema."""
        self._functions = {
            key: functions
            for key, functions in self._functions.items()
            if key[: len(names)] != names
        }

    def replace_calls(self, statement: Expr, namespace: Namespace, depth: int = 0) -> Expr:
        """
        Return *statement* with the bodies of functions instead of their calls.

        It is changed in place.

        :raises SqlError: if no function accepts the arguments.
        """
        if not self._functions:
            return statement
        for name, node in reversed(call_rewriting.calls(statement)):  # innermost calls first
            key = _completed(name, namespace)
            if functions := self._functions.get(key):
                if depth > _DEPTH:
                    raise not_emulated("functions that call themselves")
                value = _applied(functions, name, node)
                value = self.replace_calls(value, Namespace(*key[:2]), depth + 1)
                node.replace(
                    exp.alias_(value, _heading(node), quoted=True) if is_column(node) else value
                )
        return statement


def _heading(call: Expr) -> str:
    """Return what Snowflake calls the column of a SELECT that is such a call."""
    return call.sql("snowflake")


def _applied(functions: list[_Function], name: str, node: Expr) -> Expr:
    arguments = (node.expression if isinstance(node, exp.Dot) else node).expressions
    named = {a.name.upper(): a.expression for a in arguments if isinstance(a, exp.Kwarg)}
    positional = [a for a in arguments if not isinstance(a, exp.Kwarg)]
    for function in sorted(functions, key=lambda function: len(function.parameters)):
        if function.accepts(len(arguments)) and named.keys() <= function.parameters.keys():
            return function.applied(positional, named)
    raise invalid_arguments(of=name, got=[argument.sql("snowflake") for argument in arguments])


def _replaced(body: Expr, values: Mapping[str, Expr]) -> Expr:
    """Return a copy of *body* with values instead of names."""
    # A function needs no parentheses, and fakesnow would not recognize a path in them.
    body = exp.paren(body.copy()) if not isinstance(body, exp.Func | exp.Subquery) else body.copy()
    root = exp.Tuple(expressions=[body])
    for column in list(root.find_all(exp.Column)):
        if not column.table and (value := values.get(_name(column.this))):
            column.replace(value.copy())
    replaced: Expr = root.expressions[0]
    return replaced.pop()


def _parsed(sql: str) -> Expr:
    try:
        return sqlglot.parse_one(sql, read="snowflake")
    except SqlglotError as error:
        raise syntax_error(sql) from error


def _body(constant: str) -> Expr:
    """Return the expression of a body, which may be a query."""
    text = constant[2:-2] if constant.startswith("$$") else _parsed(constant).name
    if statement_text.verb(text) in _SCRIPTING:
        raise not_emulated("Snowflake Scripting")
    text = statement_text.without_comments(text)
    if statement_text.verb(text) in {"SELECT", "WITH"}:
        return exp.Subquery(this=_parsed(text))
    select = _parsed(f"SELECT {text}")
    if [part for part, value in select.args.items() if value] != ["expressions"]:
        raise syntax_error(text)
    body: Expr = select.expressions[0]
    return body.unalias()


def _function(create: Expr, body: Expr, namespace: Namespace) -> _Function:
    definitions = create.this.expressions
    defaults = {
        _name(definition.this): default.this
        for definition in definitions
        for default in definition.find_all(exp.DefaultColumnConstraint)
    }
    returns = create.find(exp.ReturnsProperty)
    if returns is None or not isinstance(returns.this, exp.DataType):
        raise syntax_error(create.sql("snowflake"))
    _qualify_tables(body, namespace)
    parameters = {_name(definition.this): definition.args["kind"] for definition in definitions}
    return _Function(_name(create.this.this.this), parameters, defaults, returns.this, body)


def _qualify_tables(body: Expr, namespace: Namespace) -> None:
    """Complete the names of tables: they are in the function's schema, wherever it is called."""
    local = {cte.alias for cte in body.find_all(exp.CTE)}
    for table in body.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not (table.name in local and not table.db):
            for part, value in (("db", namespace.schema), ("catalog", namespace.database)):
                if not table.args.get(part):
                    table.set(part, exp.to_identifier(value, quoted=True))


def _cast(value: Expr, to: exp.DataType) -> Expr:
    return value if to.this in _SEMI_STRUCTURED else exp.cast(value, to.copy())


def _type_name(type_: exp.DataType) -> str:
    """Return what all spellings of a type have in common in a function's signature."""
    for kind, name in _TYPE_NAMES:
        if type_.this in kind:
            return name
    return str(type_.this.value)


def _name(identifier: Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _key(table: exp.Table, namespace: Namespace, statement: str) -> NameKey:
    """Return a function's database, schema and name."""
    written = ".".join(part.sql("snowflake") for part in table.parts)
    key = name_resolution.qualified_key(written, namespace, statement=statement)
    return (*key[:2], key[2].upper())


def _signature(
    signature: str, namespace: Namespace, statement: str
) -> tuple[NameKey, tuple[str, ...]]:
    """Return the key of a function, and the types of its arguments."""
    drop = _parsed(f"DROP FUNCTION {signature}")
    key = _key(drop.args["tables"][0], namespace, statement)
    return key, tuple(map(_type_name, drop.expressions))


def _completed(name: str, namespace: Namespace) -> NameKey:
    """Return the key of a function that is called by *name*."""
    parts = tuple(name.split("."))
    current = (namespace.database or "", namespace.schema or "")
    return (*current[: 3 - len(parts)], *parts)
