"""``make live``: check against a real account what this package guesses about Snowflake."""
