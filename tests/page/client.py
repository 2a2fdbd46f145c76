"""What a viewer's browser sends to the page's application, and gets from it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_cortex.emulator import Emulator

if TYPE_CHECKING:  # Airflow before 3.1 has no FastAPI
    from starlette.testclient import TestClient

Recorder = Callable[..., None]
"""Adds task instances with an XCom: see the fixture *record*."""

Permissions = Callable[..., None]
"""Lets Airflow grant no more than this: see the fixture *allow*."""

SHOW = "FINETUNE('SHOW'"
DESCRIBE = "FINETUNE('DESCRIBE'"


def signed_in(role: str | None) -> dict[str, str]:
    """Return the headers of a signed-in user with this role."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username="ann", role=role)
    return {"Cookie": f"_token={get_auth_manager().generate_jwt(user)}"}


def accounts(browser: "TestClient") -> list[dict[str, Any]]:
    """Return the accounts that the page shows, once Snowflake has answered."""
    for _ in range(200):
        answer = browser.get("/api/jobs").raise_for_status().json()
        if not any(account["is_loading"] for account in answer["accounts"]):
            return list(answer["accounts"])
    pytest.fail("Snowflake did not answer")


def detail(browser: "TestClient", job_id: str) -> dict[str, Any]:
    """Return what the page shows of one job."""
    query = {"conn_id": "snowflake_default", "job_id": job_id}
    answer: dict[str, Any] = browser.get("/api/job", params=query).raise_for_status().json()
    return answer


def script_url(browser: "TestClient") -> str:
    """Return the URL of the page's script."""
    (script,) = re.findall(r'<script type="module" src="([^"]*)">', browser.get("/jobs").text)
    return f"/{script}"


def statement_count(emulator: Emulator, part: str) -> int:
    """Return how many of the emulator's statements contain *part*."""
    return sum(part in statement.sql for statement in emulator.statements)
