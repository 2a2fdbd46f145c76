"""Who uses a session, and with which role and warehouse: what CURRENT_ROLE() and others return."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator.name_resolution import Namespace

_DEFAULT_ROLE = "ACCOUNTADMIN"


@dataclass(slots=True)
class SessionContext:
    """The names that a login has given, or USE since then; as Snowflake stores them."""

    session_id: int = 0
    account: str | None = None
    user: str | None = None
    role: str | None = _DEFAULT_ROLE
    warehouse: str | None = None


class _Session(Protocol):
    context: SessionContext

    @property
    def namespace(self) -> Namespace: ...


_FUNCTIONS: dict[type[exp.Func], Callable[[_Session], str | None]] = {
    exp.CurrentAccount: lambda session: session.context.account,
    exp.CurrentAccountName: lambda session: session.context.account,
    exp.CurrentDatabase: lambda session: session.namespace.database,
    exp.CurrentRole: lambda session: session.context.role,
    exp.CurrentSchema: lambda session: session.namespace.schema,
    exp.CurrentSession: lambda session: str(session.context.session_id),
    exp.CurrentUser: lambda session: session.context.user,
    exp.CurrentWarehouse: lambda session: session.context.warehouse,
}


def replace_functions(statement: Expr, session: _Session) -> Expr:
    """Return *statement* with each CURRENT_…() replaced by its value. It is changed in place."""
    for node in list(statement.find_all(*_FUNCTIONS)):
        value = _FUNCTIONS[type(node)](session)
        constant = exp.null() if value is None else exp.Literal.string(value)
        name = f"{type(node).sql_names()[0]}()"
        node.replace(exp.alias_(constant, name, quoted=True) if is_column(node) else constant)
    return statement


def is_column(node: Expr) -> bool:
    """Return whether *node* is a column of a SELECT, without an alias."""
    return isinstance(node.parent, exp.Select) and node.arg_key == "expressions"
