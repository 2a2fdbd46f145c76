"""The password and the OAuth token that a login must have."""

from typing import Any

# Codes: snowflake-connector-python, network.py. There the last two are called
# OAUTH_ACCESS_TOKEN_INVALID_GS_CODE and OAUTH_ACCESS_TOKEN_EXPIRED_GS_CODE. Messages: as users
# report them.
_WRONG_PASSWORD = "390100", "Incorrect username or password was specified."
_TOKEN_INVALID = "390303", "Invalid OAuth access token."
_TOKEN_EXPIRED = "390318", "OAuth access token expired."


class Credentials:
    """What a login must have; None accepts anything."""

    def __init__(self, *, password: str | None, token: str | None) -> None:
        self.password = password
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
        if login.get("AUTHENTICATOR") == "OAUTH":
            token = login.get("TOKEN")
            if self._token in {None, token}:
                return None
            return _TOKEN_EXPIRED if token in self._former_tokens else _TOKEN_INVALID
        if "TOKEN" in login or self.password in {None, login.get("PASSWORD")}:
            return None  # other tokens, such as that of a key pair, are not checked
        return _WRONG_PASSWORD
