"""Which Snowflake driver the tests use."""

from importlib.metadata import version

DRIVER = tuple(int(part) for part in version("snowflake-connector-python").split(".")[:2])
"""Its version, such as ``(4, 8)``."""
