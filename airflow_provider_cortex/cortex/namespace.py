"""Full names and addresses of what is in Snowflake, for asset events, lineage and links."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_cortex.cortex.identifiers import (
    MAX_PARTS,
    Identifier,
    parse,
    parse_argument,
    parse_or_quote,
)
from airflow_provider_cortex.errors import ArgumentError, UnknownNamespaceError

DOMAIN = ".snowflakecomputing.com"

CHINA_PREFIX = "cn-"
"""Regions with this prefix have their Snowsight in another domain."""

UNLINKED = frozenset({"privatelink", "global", "snowflakecomputing"})
"""An account or a host with one of these parts, after removing DOMAIN, has no known Snowsight."""


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """The account, and the default database and schema, that a task and its connection name."""

    account: str | None = None
    host: str | None = None
    """The host that the connection names, if any."""
    database: str | None = None
    schema: str | None = None

    def full_name(self, name: str) -> tuple[Identifier, ...]:
        """
        Return database, schema and object of *name*.

        :raises UnknownNamespaceError: if it is not a name, or its database or schema is unknown.
        """
        parts = parse(name)
        if parts is None:
            raise UnknownNamespaceError(name, "it is not a Snowflake identifier")
        return self._defaults(name, MAX_PARTS - len(parts)) + parts

    def full_name_of(self, argument: str, name: str) -> tuple[Identifier, ...]:
        """
        Return database, schema and object of an argument.

        :raises ArgumentError: if it is not a name, or its database or schema is unknown.
        """
        parse_argument(argument, name)
        try:
            return self.full_name(name.strip())
        except UnknownNamespaceError as error:
            raise ArgumentError(argument, name, f"has no full name: {error.reason}.") from error

    def uri(self, name: str) -> str:
        """
        Return the address of *name* in Airflow: ``snowflake://account/database/schema/object``.

        It keeps the case in which Snowflake returned the name; quotes are dropped.

        :raises UnknownNamespaceError: if it is not a name, or a part of its address is unknown.
        """
        if not self.account:
            raise UnknownNamespaceError(name, "the connection has no account")
        texts = [self.account, *(part.text for part in self.full_name(name))]
        return "snowflake://" + "/".join(quote(text, safe="") for text in texts)

    # Guess snowsight-address: the path to a query in Snowsight, after the organization and account
    # that Snowflake documents, and the form with region and locator, are what browsers show. If
    # wrong: the link "Snowflake query" leads nowhere. No live check: only a browser can follow it.
    def query_url(self, query_id: str) -> str | None:
        """
        Return the address of a query in Snowsight, or None if it is unknown.

        Snowflake documents ``app.snowflake.com/<organization>/<account>``, and neither the rest of
        the path nor ``/<region>/<locator>`` (guess snowsight-address). With private link and in
        China, Snowsight has other addresses, which the account's name does not reveal: then there
        is no link rather than a wrong one.
        """
        account = (self.account or "").lower().removesuffix(DOMAIN)
        host = (self.host or "").lower().removesuffix(DOMAIN)
        if UNLINKED.intersection((*account.split("."), *host.split("."))):
            return None
        organization, dash, name = account.partition("-")
        locator, dot, region = account.partition(".")
        if dot and "-" not in locator and not region.startswith(CHINA_PREFIX):
            path = f"{quote(region, safe='')}/{quote(locator, safe='')}"
        elif dash and not dot:
            path = f"{quote(organization, safe='')}/{quote(name, safe='')}"
        else:
            return None
        history = f"https://app.snowflake.com/{path}/#/compute/history"
        return f"{history}/queries/{quote(query_id, safe='')}/detail"

    def _defaults(self, name: str, number: int) -> tuple[Identifier, ...]:
        """Return the first *number* parts of a full name, which *name* leaves out."""
        defaults = {"database": self.database, "schema": self.schema}
        parts = []
        for kind, text in list(defaults.items())[:number]:
            if not text or not text.strip():
                reason = f"neither it nor the task nor the connection names a {kind}"
                raise UnknownNamespaceError(name, reason)
            parts.append(parse_or_quote(text.strip()))
        return tuple(parts)
