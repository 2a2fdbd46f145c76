"""
The statements of setup scripts: databases, roles, warehouses, users, grants, functions, and USE.

DuckDB has none of them. They are executed here, and fakesnow executes a SELECT of their status
instead.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator import (
    account_objects,
    databases,
    datasets,
    model_statements,
    name_resolution,
    setup_results,
    sql_udfs,
    stage_directory,
    stage_files,
    statement_text,
)
from airflow_provider_cortex.emulator.model_statements import literal_value
from airflow_provider_cortex.emulator.tracked_job import Grants

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

_VERBS = {"ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "SHOW", "USE"}

_IDENTIFIER = re.compile(r"\bIDENTIFIER\s*\(\s*'([^']*)'\s*\)", re.IGNORECASE)
_OPTION = re.compile(
    rf"\b(COMMENT|WAREHOUSE_SIZE)\s*=\s*({statement_text.CONSTANT}|\w+)", re.IGNORECASE | re.DOTALL
)
_COLUMN_OF_OPTION = {"COMMENT": "comment", "WAREHOUSE_SIZE": "size"}

_GRANT_COLUMNS = (
    "created_on",
    "privilege",
    "granted_on",
    "name",
    "granted_to",
    "grantee_name",
    "grant_option",
    "granted_by",
)

_KIND = r"(?P<kind>DATABASE\s+ROLE|ROLE|WAREHOUSE|USER)"
_NAME = rf"(?P<name>{statement_text.NAME})"
_OR_REPLACE = r"(?P<or_replace>OR\s+REPLACE\s+)?"
_IF_NOT_EXISTS = r"(?P<if_not_exists>IF\s+NOT\s+EXISTS\s+)?"
_IF_EXISTS = r"(?P<if_exists>IF\s+EXISTS\s+)?"


def execute(sql: str, session: "SqlSession") -> str | None:
    """
    Execute a statement of a setup script.

    :return: a SELECT of its result; None for another statement, which is not executed.
    :raises SqlError: if it fails.
    """
    verb = statement_text.verb(sql)
    if verb == "PUT":
        return stage_files.with_quoted_file(sql)
    if verb not in _VERBS:
        return None
    statement = statement_text.without_comments(sql)
    if _NAMED_BY_TEXT.search(statement):
        statement = _IDENTIFIER.sub(r"\1", session.inline_variables(statement))
    for pattern, handler in _HANDLERS:
        if match := pattern.fullmatch(statement):
            return handler(session, match)
    return None


def _constant(written: str | None) -> str | None:
    """Return the value of a text constant, or of a word."""
    if written is None or not written.startswith(("'", "$$")):
        return written
    if written.startswith("$$"):
        return written[2:-2]
    return literal_value(written[1:-1])


def _key(match: re.Match[str]) -> name_resolution.NameKey:
    return name_resolution.key(match["name"])


def _kind(match: re.Match[str]) -> str:
    return " ".join(match["kind"].upper().split())


def _succeed(_session: "SqlSession", _match: re.Match[str]) -> str:
    return setup_results.status(setup_results.SUCCESS)


def _use(session: "SqlSession", match: re.Match[str]) -> str:
    kind, key = (match["kind"] or "").upper(), _key(match)
    match kind, key:
        case "ROLE", _:
            session.context.role = key[-1]
        case "WAREHOUSE", _:
            session.context.warehouse = key[-1]
        case ("SCHEMA" | "", (database, schema)):
            databases.use(session, database, schema)
        case "SCHEMA", (schema,):
            databases.use(session, None, schema)
        case _:
            databases.use(session, key[0])
    return setup_results.status(setup_results.SUCCESS)


def _create_object(session: "SqlSession", match: re.Match[str]) -> str:
    kind, key = _kind(match), _key(match)
    options = {
        _COLUMN_OF_OPTION[option.upper()]: _constant(value) or ""
        for option, value in _OPTION.findall(match["options"])
    }
    status = session.engine.account_objects.create(
        kind,
        key,
        options,
        or_replace=bool(match["or_replace"]),
        if_not_exists=bool(match["if_not_exists"]),
    )
    if kind == "WAREHOUSE":
        session.context.warehouse = key[-1]
    return setup_results.status(status)


def _drop_object(session: "SqlSession", match: re.Match[str]) -> str:
    kind, key = _kind(match), _key(match)
    status = session.engine.account_objects.drop(kind, key, if_exists=bool(match["if_exists"]))
    if kind == "WAREHOUSE" and session.context.warehouse == key[-1]:
        session.context.warehouse = None
    return setup_results.status(status)


def _show_objects(session: "SqlSession", match: re.Match[str]) -> str:
    kind, context = match["kind"].upper(), session.context
    current = {"ROLE": context.role, "USER": context.user, "WAREHOUSE": context.warehouse}
    columns = account_objects.COLUMNS[kind]
    rows = session.engine.account_objects.show(
        kind, like=_constant(match["like"]), current=current[kind]
    )
    return setup_results.select(columns, list(rows))


def _create_database(session: "SqlSession", match: re.Match[str]) -> str:
    status = databases.create(
        session,
        _key(match)[0],
        or_replace=bool(match["or_replace"]),
        if_not_exists=bool(match["if_not_exists"]),
    )
    return setup_results.status(status)


def _drop_database(session: "SqlSession", match: re.Match[str]) -> str:
    return setup_results.status(
        databases.drop(session, _key(match)[0], if_exists=bool(match["if_exists"]))
    )


def _schema_key(session: "SqlSession", match: re.Match[str]) -> name_resolution.NameKey:
    return (session.namespace.database or "", *_key(match))[-2:]


def _drop_schema(session: "SqlSession", match: re.Match[str]) -> str:
    key = _schema_key(session, match)
    return setup_results.status(
        databases.drop_schema(session, *key, if_exists=bool(match["if_exists"]))
    )


def _create_schema(session: "SqlSession", match: re.Match[str]) -> str:
    """Let fakesnow create a schema, without its options. DuckDB replaces none with tables."""
    if match["or_replace"]:
        databases.drop_schema(session, *_schema_key(session, match), if_exists=True)
    return f"CREATE {match['or_replace'] or ''}SCHEMA {match['if_not_exists'] or ''}{match['name']}"


def _create_function(session: "SqlSession", match: re.Match[str]) -> str:
    comments = [_constant(value) for _, value in _OPTION.findall(match["options"])]
    status = session.engine.user_functions.create(
        match["header"],
        match["body"],
        session.namespace,
        comment=(comments or [""])[-1] or "",
        or_replace=bool(match["or_replace"]),
        if_not_exists=bool(match["if_not_exists"]),
        copy_grants="COPY GRANTS" in statement_text.words(match["header"] + match["options"]),
    )
    return setup_results.status(status)


def _show_functions(session: "SqlSession", match: re.Match[str]) -> str:
    prefix = model_statements.name_prefix(session.namespace, match["scope"], match["name"])
    rows = session.engine.user_functions.show(prefix, literal_value(match["like"]))
    return setup_results.select(sql_udfs.COLUMNS, list(rows))


def _grants(session: "SqlSession", match: re.Match[str], statement: str) -> Grants:
    """Return the grants on a model or a function, to read and to change."""
    if match["kind"].upper() == "FUNCTION":
        return session.engine.user_functions.grants(match["object"], session.namespace)
    name = name_resolution.qualified(match["object"], session.namespace, statement=statement)
    return session.engine.jobs.grants(name)


def _privileges(match: re.Match[str]) -> Iterable[tuple[str, str]]:
    """Yield each privilege of a GRANT or REVOKE, and its role."""
    for privilege in match["privileges"].upper().split(","):
        yield " ".join(privilege.split()), _key(match)[-1]


def _grant(session: "SqlSession", match: re.Match[str]) -> str:
    grants, now = _grants(session, match, "GRANT"), datetime.now(UTC)
    for granted in _privileges(match):
        grants.setdefault(granted, now)
    return setup_results.status(setup_results.SUCCESS)


def _revoke(session: "SqlSession", match: re.Match[str]) -> str:
    grants = _grants(session, match, "REVOKE")
    for granted in _privileges(match):
        grants.pop(granted, None)
    return setup_results.status(setup_results.SUCCESS)


def _show_grants(session: "SqlSession", match: re.Match[str]) -> str:
    kind, owner = match["kind"].upper(), "ACCOUNTADMIN"
    rows = [
        (since, privilege, kind, match["object"], "ROLE", role, "false", owner)
        for (privilege, role), since in sorted(_grants(session, match, "SHOW GRANTS").items())
    ]
    return setup_results.select(_GRANT_COLUMNS, rows)


def _drop_function(session: "SqlSession", match: re.Match[str]) -> str:
    status = session.engine.user_functions.drop(
        match["signature"], session.namespace, if_exists=bool(match["if_exists"])
    )
    return setup_results.status(status)


_NAMED_BY_TEXT = re.compile(r"\bIDENTIFIER\s*\(", re.IGNORECASE)

_ON = r"\s+ON\s+(?P<kind>MODEL|FUNCTION)\s+(?P<object>\S.*?)"
_ROLE = rf"(?:ROLE\s+)?{_NAME}"

_Handler = Callable[["SqlSession", re.Match[str]], str]


_STATEMENTS: tuple[tuple[str, _Handler], ...] = (
    (rf"USE\s+(?:(?P<kind>DATABASE|SCHEMA|ROLE|WAREHOUSE)\s+)?{_NAME}", _use),
    (r"USE\s+SECONDARY\s+ROLES\s+.+", _succeed),
    (rf"GRANT\s+(?P<privileges>\S.*?){_ON}\s+TO\s+{_ROLE}(?:\s+WITH\s+.+)?", _grant),
    (rf"REVOKE\s+(?P<privileges>\S.*?){_ON}\s+FROM\s+{_ROLE}(?:\s+.+)?", _revoke),
    (rf"SHOW\s+GRANTS{_ON}", _show_grants),
    (rf"SHOW\s+USER\s+FUNCTIONS{model_statements.SHOW_CLAUSES}", _show_functions),
    (r"GRANT\s.+\sTO\s.+", _succeed),
    (r"REVOKE\s.+\sFROM\s.+", _succeed),
    (
        rf"CREATE\s+{_OR_REPLACE}{_KIND}\s+{_IF_NOT_EXISTS}{_NAME}(?P<options>(?:\s.*)?)",
        _create_object,
    ),
    (rf"DROP\s+{_KIND}\s+{_IF_EXISTS}{_NAME}", _drop_object),
    (rf"ALTER\s+{_KIND}\s+{_IF_EXISTS}{_NAME}\s.+", _succeed),
    (r"ALTER\s+ACCOUNT\s+(?:UN)?SET\s.+", _succeed),
    (rf"ALTER\s+(?:DATABASE|SCHEMA)\s+{_IF_EXISTS}{_NAME}\s+(?:UN)?SET\s.+", _succeed),
    (
        rf"SHOW\s+(?P<kind>ROLE|USER|WAREHOUSE)S(?:\s+LIKE\s+(?P<like>{statement_text.CONSTANT}))?",
        _show_objects,
    ),
    (
        rf"CREATE\s+{_OR_REPLACE}(?:TRANSIENT\s+)?DATABASE\s+{_IF_NOT_EXISTS}{_NAME}(?:\s.*)?",
        _create_database,
    ),
    (rf"DROP\s+DATABASE\s+{_IF_EXISTS}{_NAME}(?:\s+(?:CASCADE|RESTRICT))?", _drop_database),
    (rf"DROP\s+SCHEMA\s+{_IF_EXISTS}{_NAME}(?:\s+(?:CASCADE|RESTRICT))?", _drop_schema),
    (
        rf"CREATE\s+{_OR_REPLACE}(?:TRANSIENT\s+)?SCHEMA\s+{_IF_NOT_EXISTS}{_NAME}(?:\s.*)?",
        _create_schema,
    ),
    (sql_udfs.CREATE, _create_function),
    (rf"DROP\s+FUNCTION\s+{_IF_EXISTS}(?P<signature>.+)", _drop_function),
)

_HANDLERS = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), handler)
    for pattern, handler in (*_STATEMENTS, *stage_directory.STATEMENTS, *datasets.STATEMENTS)
]
