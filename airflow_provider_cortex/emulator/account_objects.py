"""
The roles, warehouses and users of an account.

They have no effect, because the emulator has no access control and runs no warehouses. CREATE,
DROP and SHOW know the objects that were created; logins, USE, GRANT and ALTER accept any name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from airflow_provider_cortex.emulator.model_statements import like_pattern
from airflow_provider_cortex.emulator.name_resolution import NameKey
from airflow_provider_cortex.emulator.sql_errors import already_exists, unknown_object

COLUMNS = {
    "ROLE": ("name", "is_current", "owner", "comment"),
    "USER": ("name", "is_current", "owner", "comment"),
    "WAREHOUSE": ("name", "is_current", "owner", "comment", "state", "type", "size"),
}
"""The columns of SHOW ROLES, SHOW USERS and SHOW WAREHOUSES."""

_DEFAULTS = {
    "owner": "ACCOUNTADMIN",
    "comment": "",
    "state": "STARTED",
    "type": "STANDARD",
    "size": "X-Small",
}


@dataclass
class AccountObjects:
    """What exists, by kind (such as ``WAREHOUSE``) and name."""

    _options: dict[tuple[str, NameKey], dict[str, str]] = field(default_factory=dict)

    def create(
        self,
        kind: str,
        name: NameKey,
        options: dict[str, str],
        *,
        or_replace: bool,
        if_not_exists: bool,
    ) -> str:
        """Add an object, and return the statement's status."""
        if (kind, name) in self._options and not or_replace:
            if if_not_exists:
                return f"{name[-1]} already exists, statement succeeded."
            raise already_exists(name[-1])
        self._options[kind, name] = options
        return f"{kind.capitalize()} {name[-1]} successfully created."

    def drop(self, kind: str, name: NameKey, *, if_exists: bool) -> str:
        """Remove an object, and return the statement's status."""
        if self._options.pop((kind, name), None) is not None:
            return f"{name[-1]} successfully dropped."
        if if_exists:
            return f"Drop statement executed successfully ({name[-1]} already dropped)."
        raise unknown_object(kind.capitalize(), ".".join(name))

    def show(self, kind: str, *, like: str | None, current: str | None) -> Iterable[list[str]]:
        """Yield the values of the columns for each object, and for the one that is in use."""
        known = {name[-1]: options for (of, name), options in self._options.items() if of == kind}
        if current:
            known.setdefault(current, {})
        for name, options in sorted(known.items()):
            if like_pattern(like).fullmatch(name):
                is_current = "Y" if name == current else "N"
                record = _DEFAULTS | options | {"name": name, "is_current": is_current}
                yield [record[column] for column in COLUMNS[kind]]
