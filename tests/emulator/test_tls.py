"""HTTPS, for clients such as Airflow's own hook."""

import json
import os
import subprocess
import sys

from airflow_provider_cortex.emulator import Emulator

HOOK = """
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
hook = SnowflakeHook()
hook.run("CREATE TABLE t AS SELECT 'a' AS prompt, 'b' AS completion")
create = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', %s, 'mistral-7b', 'SELECT * FROM t')"
(job_id,) = hook.get_first(create, parameters=("it's mine",))
(record,) = hook.get_first("SELECT SNOWFLAKE.CORTEX.FINETUNE(%s, %s)", parameters=("DESCRIBE", job_id))
print("RECORD", record)
"""


def test_airflows_own_hook_works_over_https(tmp_path):
    """SnowflakeHook passes host and port, but no protocol, so it needs HTTPS."""
    with Emulator(tls=tmp_path) as emulator:
        environment = os.environ | {
            "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": emulator.airflow_connection,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "REQUESTS_CA_BUNDLE": str(tmp_path / "authorities.pem"),
            "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        }
        ran = subprocess.run(
            [sys.executable, "-c", HOOK],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout.partition("RECORD ")[2].splitlines()[0])
    assert record["status"] == "SUCCESS"
    assert record["model"] == "CORTEX_DB.PUBLIC.it's mine"


def test_certificates_are_created_only_once(tmp_path):
    """Clients keep trusting the file after a restart. Only its owner may read the private key."""
    kept = []
    for _ in range(2):
        emulator = Emulator(tls=tmp_path)
        emulator.close()
        kept.append((tmp_path / "server.pem").read_bytes())
    assert kept[0] == kept[1]
    assert (tmp_path / "server.pem").stat().st_mode & 0o077 == 0
