"""What web pages make a browser send is refused; drivers and curl are served."""

import json

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.emulator.client import send, show

LOGIN = json.dumps({"data": {"LOGIN_NAME": "any", "PASSWORD": "any", "SESSION_PARAMETERS": {}}})
LOGIN_PATH = "/session/v1/login-request"
FAULT = json.dumps({"kind": "status", "status": 503})
JSON = {"Content-Type": "application/json"}


def test_a_page_under_a_name_that_resolves_to_127_0_0_1_cannot_log_in(cortex_emulator):
    """DNS rebinding: for the browser it is the page's own site, so it may read the responses."""
    attack = JSON | {"Host": f"attacker.test:{cortex_emulator.port}"}
    for path in LOGIN_PATH, "/queries/v1/query-request", "/emulator/jobs":
        status, body = send(cortex_emulator, "POST", path, LOGIN, attack)
        assert status == 421
        assert "--allow-host" in json.loads(body)["error"]
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_page_of_another_site_cannot_add_a_fault(cortex_emulator, connect, content_type):
    """A browser sends such a request without asking the emulator first."""
    attack = {
        "Content-Type": content_type,
        "Origin": "https://attacker.test",
        "Sec-Fetch-Site": "cross-site",
    }
    for left_out in "", "Origin", "Sec-Fetch-Site":
        headers = {name: value for name, value in attack.items() if name != left_out}
        status, body = send(cortex_emulator, "POST", "/emulator/faults", FAULT, headers)
        assert status == 403
        assert json.loads(body)["error"]
    # An old browser sends neither.
    headers = {"Content-Type": content_type}
    for path in "/emulator/faults", "/emulator/reset", "/emulator/jobs/ft_0/cancel":
        status, body = send(cortex_emulator, "POST", path, FAULT, headers)
        assert status == 415
        assert "application/json" in json.loads(body)["error"]
    assert not list(cortex_emulator.faults)
    assert show(connect()) == [("[]",)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST.:8282"}, 200),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "[::1]:8282"}, 200),
        ({"Host": "localhost.attacker.test"}, 421),
        ({"Host": "127.0.0.1.attacker.test:8282"}, 421),
        ({"Host": "127.0.0.1@attacker.test"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": "10.0.0.1"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://attacker.test"}, 403),
        ({"Origin": "http://127.0.0.1.attacker.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_who_is_served(cortex_emulator, headers, status):
    """Requests to one of the emulator's own names, from no other site."""
    assert send(cortex_emulator, "GET", "/emulator/jobs", headers=headers)[0] == status


def test_other_names_can_be_allowed():
    """Such as that of the container in which the emulator runs."""
    with Emulator(tls=False, allow_hosts=["cortex.test"]) as emulator:
        headers = {"Host": "cortex.test:8282", "Origin": "http://cortex.test:8282"}
        assert send(emulator, "POST", LOGIN_PATH, LOGIN, headers)[0] == 200
        assert send(emulator, "GET", "/emulator/jobs", headers={"Host": "cortex"})[0] == 421
        assert emulator.logins == 1


def test_a_refused_request_meets_no_fault(cortex_emulator):
    """Otherwise a web page could use up the faults of a test."""
    cortex_emulator.faults.add("status", status=503, requests=1)
    attack = {"Host": "attacker.test"}
    assert send(cortex_emulator, "POST", LOGIN_PATH, LOGIN, attack)[0] == 421
    assert send(cortex_emulator, "POST", LOGIN_PATH, LOGIN)[0] == 503


def test_the_log_names_a_refused_host(cortex_emulator, caplog):
    """The driver does not show the response's text."""
    send(cortex_emulator, "GET", "/emulator/jobs", headers={"Host": "cortex.test"})
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "The emulator does not serve the host 'cortex.test'. If it is one of its names, start it "
    )
