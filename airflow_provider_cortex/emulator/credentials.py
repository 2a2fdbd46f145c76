"""The password and the tokens that a login must have."""

from typing import Any

from airflow_provider_cortex.emulator.http_messages import field

# Codes: snowflake-connector-python, network.py. There the last two are called
# OAUTH_ACCESS_TOKEN_INVALID_GS_CODE and OAUTH_ACCESS_TOKEN_EXPIRED_GS_CODE. Messages: as users
# report them.
_WRONG_PASSWORD = "390100", "Incorrect username or password was specified."
_TOKEN_INVALID = "390303", "Invalid OAuth access token."
_TOKEN_EXPIRED = "390318", "OAuth access token expired."
# As users of the drivers report it; Snowflake says the same of a token that has expired.
_ACCESS_TOKEN_INVALID = "394400", "Programmatic access token is invalid."


class Credentials:
    """What a login must have; None accepts anything."""

    def __init__(
        self, *, password: str | None, token: str | None, access_token: str | None
    ) -> None:
        self.password = password
        self.access_token = access_token
        self._token = token
        self._former_tokens: set[str | None] = set()

    @property
    def token(self) -> str | None:
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._former_tokens.add(self._token)
        self._token = token

    def rejection(self, login: dict[str, Any]) -> tuple[str, str] | None:
        """Return code and message if *login* is rejected, or None."""
        token = field(login, "TOKEN", str)
        match login.get("AUTHENTICATOR"):
            case "OAUTH":
                if self._token in {None, token}:
                    return None
                return _TOKEN_EXPIRED if token in self._former_tokens else _TOKEN_INVALID
            case "PROGRAMMATIC_ACCESS_TOKEN":
                return None if self.access_token in {None, token} else _ACCESS_TOKEN_INVALID
        password = field(login, "PASSWORD", str)
        if token is not None or self.password in {None, password}:
            return None  # other tokens, such as that of a key pair, are not checked
        # Snowflake accepts a programmatic access token in place of a password.
        is_access_token = self.access_token is not None and password == self.access_token
        return None if is_access_token else _WRONG_PASSWORD
