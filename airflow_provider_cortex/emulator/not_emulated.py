"""
What of Snowflake's SQL the emulator does not have.

Each statement of such a feature fails with an error that names it: without this table some would
fail with a parser's error, and others would succeed without any effect. The documentation's list
is made from it.
"""

import re

from airflow_provider_cortex.emulator import statement_text
from airflow_provider_cortex.emulator.sql_errors import not_emulated

_MODIFIERS = "(?:(?:OR REPLACE|OR ALTER|SECURE|TEMP|TEMPORARY|TRANSIENT|LOCAL|GLOBAL) )*"
_DDL = f"(?:CREATE {_MODIFIERS}|ALTER |DROP |UNDROP |SHOW |DESC |DESCRIBE )"


def _objects(kinds: str) -> str:
    """Return a pattern for the statements that create, change, show or drop objects of a kind."""
    return rf"{_DDL}(?:{kinds})\b"


FEATURES = {
    "stored procedures": (_objects("PROCEDURES?"), r"CALL\b", r"WITH \w+ AS PROCEDURE\b"),
    "Snowflake Scripting": (
        r"EXECUTE IMMEDIATE\b",
        r"DECLARE\b",
        r"BEGIN (?!TRANSACTION\b|WORK\b|NAME\b|;)",
    ),
    "functions in Python, Java, JavaScript or Scala": (
        rf"CREATE {_MODIFIERS}FUNCTION .*\bLANGUAGE (?!SQL\b)",
        rf"CREATE {_MODIFIERS}AGGREGATE FUNCTION\b",
    ),
    "functions that return a table": (rf"CREATE {_MODIFIERS}FUNCTION .*\bRETURNS TABLE\b",),
    "external functions": (_objects("EXTERNAL FUNCTIONS?"),),
    "data metric functions": (_objects("DATA METRIC FUNCTIONS?"),),
    "changing and describing functions, and listing built-in ones": (
        r"(?:ALTER|DESC|DESCRIBE) FUNCTION\b",
        r"SHOW FUNCTIONS\b",
    ),
    "tasks": (_objects("TASKS?"), r"EXECUTE TASK\b"),
    "alerts": (_objects("ALERTS?"), r"EXECUTE ALERT\b"),
    "streams": (_objects("STREAMS?"),),
    "pipes": (_objects("PIPES?"),),
    "dynamic tables": (_objects("DYNAMIC (?:ICEBERG )?TABLES?"),),
    "external, Iceberg, hybrid, interactive and event tables": (
        _objects("(?:EXTERNAL|ICEBERG|HYBRID|INTERACTIVE|EVENT) TABLES?"),
    ),
    "semantic views": (_objects("SEMANTIC VIEWS?"),),
    "stages and files outside the emulator": (
        rf"CREATE {_MODIFIERS}STAGE .*\b(?:URL|STORAGE_INTEGRATION) ?=",
        r"COPY INTO .*\bFROM ''",
        r"COPY FILES\b",
    ),
    "unloading tables into files": (r"COPY INTO (?:@|'')", r"COPY INTO '@'", r"GET\b"),
    "dropping stages, and changing them except for their directory tables": (
        r"(?:DROP|DESC|DESCRIBE) STAGE\b",
        r"ALTER STAGE\b(?!.* (?:REFRESH\b|SET DIRECTORY ?=))",
        r"(?:REMOVE|RM)\b",
    ),
    "changing and dropping file formats": (r"(?:ALTER|DROP|DESC|DESCRIBE) FILE FORMAT\b",),
    "integrations": (
        _objects(
            "(?:(?:API|CATALOG|EXTERNAL ACCESS|NOTIFICATION|SECURITY|STORAGE) )?INTEGRATIONS?"
        ),
    ),
    "network rules": (_objects("NETWORK RULES?"),),
    "policies": (
        _objects(r"(?:[A-Z]+ ){1,2}POLIC(?:Y|IES)"),
        r"ALTER .*\b(?:SET|UNSET|ADD|DROP) (?:\w+ ){1,2}POLICY\b",
    ),
    "secrets": (_objects("SECRETS?"),),
    "Git repositories": (_objects("GIT REPOSITORY|GIT REPOSITORIES"),),
    "Cortex Search services": (_objects("CORTEX SEARCH SERVICES?"),),
    "Cortex agents and MCP servers": (_objects("AGENTS?|MCP SERVERS?"),),
    "Streamlit apps and notebooks": (_objects("STREAMLITS?|NOTEBOOKS?|NOTEBOOK PROJECTS?"),),
    "Snowpark Container Services": (
        _objects(
            "COMPUTE POOLS?|(?:JOB )?SERVICES?|IMAGE REPOSITORY|IMAGE REPOSITORIES|SNAPSHOTS?"
        ),
        r"EXECUTE (?:JOB SERVICE|NOTEBOOK)\b",
    ),
    "native apps": (_objects("APPLICATIONS?(?: PACKAGES?| ROLES?)?"),),
    "shares, listings and replication": (
        _objects(
            "SHARES?|LISTINGS?|CONNECTIONS?|(?:FAILOVER|REPLICATION) GROUPS?|MANAGED ACCOUNTS?"
        ),
        rf"CREATE {_MODIFIERS}DATABASE .*\b(?:FROM (?:SHARE|LISTING|BACKUP)|AS REPLICA)\b",
    ),
    "clones of databases and schemas": (rf"CREATE {_MODIFIERS}(?:DATABASE|SCHEMA) .*\bCLONE\b",),
    "renaming and swapping databases and schemas": (
        r"ALTER (?:DATABASE|SCHEMA) .*\b(?:RENAME TO|SWAP WITH)\b",
    ),
    "restoring what was dropped": (r"UNDROP\b",),
    "lists of grants, except on a model or a function": (
        r"SHOW (?:FUTURE )?GRANTS\b(?! ON (?:MODEL|FUNCTION)\b)",
    ),
    "resource monitors and budgets": (
        _objects("RESOURCE MONITORS?|BUDGETS?|SNOWFLAKE.CORE.BUDGET"),
    ),
    "accounts and organizations": (r"(?:CREATE|DROP|SHOW) (?:ORGANIZATION )?ACCOUNTS?\b",),
    "the rest of the model registry, and machine learning": (
        r"(?:CREATE (?:OR REPLACE )?|ALTER )MODEL\b",
        r"SHOW VERSIONS IN MODEL\b",
        _objects(r"MODEL MONITORS?|EXPERIMENTS?|SNOWFLAKE\.ML\."),
    ),
    "query plans": (r"EXPLAIN\b",),
}
"""The features that do not exist, by how an error and the documentation name them: patterns for
the :func:`words <airflow_provider_cortex.emulator.statement_text.words>` of their statements."""

_PATTERNS = {
    feature: re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    for feature, patterns in FEATURES.items()
}


def check(sql: str) -> None:
    """:raises SqlError: if the statement needs a feature that is not emulated."""
    if statement_text.verb(sql) in {"SELECT", "INSERT"}:
        return  # by far the most frequent ones, and large
    words = statement_text.words(sql)
    for feature, pattern in _PATTERNS.items():
        if pattern.match(words):
            raise not_emulated(feature)


def as_list() -> str:
    """Return the features as a list in Markdown, for the documentation."""
    return "\n".join(f"- {feature}" for feature in FEATURES)
