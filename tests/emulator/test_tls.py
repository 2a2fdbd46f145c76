"""HTTPS, for clients such as Airflow's own hook."""

import json

from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

from airflow_provider_cortex.emulator import Emulator

CREATE = "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', %s, 'mistral-7b', 'SELECT * FROM t')"
DESCRIBE = "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)"


def test_airflows_own_hook_works_over_https(tmp_path, monkeypatch):
    """SnowflakeHook passes host and port, but no protocol, so it needs HTTPS."""
    with Emulator(tls=tmp_path) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", emulator.airflow_connection)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authorities.pem"))
        hook = SnowflakeHook()
        hook.run("CREATE TABLE t AS SELECT 'a' AS prompt, 'b' AS completion")
        (job_id,) = hook.get_first(CREATE, parameters=("it's mine",))
        (described,) = hook.get_first(DESCRIBE, parameters=(job_id,))
    record = json.loads(described)
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
