"""Where in Snowflake a name belongs: what lineage and asset events call a model or a table by."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_cortex.cortex.identifiers import DEEPEST, Identifier, column, parse
from airflow_provider_cortex.errors import UnknownNamespaceError

DOMAIN = ".snowflakecomputing.com"

CHINA = "cn-"
"""How regions begin whose Snowsight is in another domain."""

UNLINKED = frozenset({"privatelink", "global", "snowflakecomputing"})
"""Parts of an account's name, or of its host without the usual domain, that no Snowsight address has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What a session takes for granted of a name, as far as the task and its connection say."""

    account: str | None = None
    host: str | None = None
    """The host that the connection names, if it names one."""
    database: str | None = None
    schema: str | None = None

    def full_name(self, name: str) -> tuple[Identifier, ...]:
        """
        Return database, schema and object of *name*.

        :raises UnknownNamespaceError: if it is no name, or nobody says where it belongs.
        """
        parts = parse(name)
        if parts is None:
            raise UnknownNamespaceError(name, "that is no name in Snowflake's syntax")
        return self._missing(name, DEEPEST - len(parts)) + parts

    def uri(self, name: str) -> str:
        """
        Return what Airflow calls *name* by: ``snowflake://account/database/schema/object``.

        In the letters in which Snowflake returned it; quotes are dropped.

        :raises UnknownNamespaceError: if it is no name, or nobody says where it belongs.
        """
        if not self.account:
            raise UnknownNamespaceError(name, "the connection has no account")
        texts = [self.account, *(part.text for part in self.full_name(name))]
        return "snowflake://" + "/".join(quote(text, safe="") for text in texts)

    def query_url(self, query_id: str) -> str | None:
        """
        Return where Snowsight shows a query, None if the account does not say.

        Snowflake documents ``app.snowflake.com/<organization>/<account>``; the rest of the path, and that of
        an account by its locator (``/<region>/<locator>``), is what browsers show: a guess. Over private
        link, and in China, Snowsight has other addresses, which the account's name does not tell: no link is
        better than a wrong one.
        """
        account = (self.account or "").lower().removesuffix(DOMAIN)
        host = (self.host or "").lower().removesuffix(DOMAIN)
        if UNLINKED.intersection((*account.split("."), *host.split("."))):
            return None
        organization, dash, name = account.partition("-")
        locator, dot, region = account.partition(".")
        if dot and "-" not in locator and not region.startswith(CHINA):
            path = f"{quote(region, safe='')}/{quote(locator, safe='')}"
        elif dash and not dot:
            path = f"{quote(organization, safe='')}/{quote(name, safe='')}"
        else:
            return None
        return f"https://app.snowflake.com/{path}/#/compute/history/queries/{quote(query_id, safe='')}/detail"

    def _missing(self, name: str, number: int) -> tuple[Identifier, ...]:
        """Return the first *number* parts of a name that has only the others."""
        texts = {"database": self.database, "schema": self.schema}
        found = []
        for what, text in list(texts.items())[:number]:
            if not text or not text.strip():
                message = f"neither it nor the task nor the connection names a {what}"
                raise UnknownNamespaceError(name, message)
            found.append(column(text.strip()))
        return tuple(found)
