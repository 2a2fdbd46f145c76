"""
Every private API of Airflow and its Snowflake provider that this package uses still exists.

One test for each entry of ``airflow_api/compat.py``. A new release that renames one fails here,
with the entry's own advice.
"""

import importlib
import inspect
import json
import os
from collections.abc import Iterator
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    BaseHook,
    BaseOperator,
    BaseSensorOperator,
    XCom,
)

from airflow_provider_cortex.airflow_api import compat
from tests.compat_tasks import Resumed, Sensor, Templated
from tests.private_api import TESTED, accepts, check, covers, has
from tests.xcoms import XComs

TASK_RUNNER = "airflow.sdk.execution_time.task_runner"

# The libraries that Airflow 2.11.0 uses have deprecated each other.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

needs_3_1 = pytest.mark.skipif(not compat.HAS_PLUGIN_PAGES, reason="needs Airflow 3.1")
needs_3_3 = pytest.mark.skipif(not compat.triggers_hear_of_kills(), reason="needs Airflow 3.3")


def test_each_entry_is_tested_here() -> None:
    """A new function, class or constant of compat.py needs a test in this file."""
    entries = {
        name
        for name, value in vars(compat).items()
        if getattr(value, "__module__", None) == compat.__name__ or name.isupper()
        if not name.startswith("_")
    }
    assert entries == TESTED.keys()


# --- Versions ------------------------------------------------------------------------------------


@covers("AIRFLOW_VERSION", "IS_AIRFLOW_3")
def test_the_version_has_two_numbers() -> None:
    """Releases are compared by them."""
    assert len(compat.AIRFLOW_VERSION) == 2
    assert airflow.__version__.startswith("{}.{}".format(*compat.AIRFLOW_VERSION))
    assert (compat.AIRFLOW_VERSION[0] == 3) == compat.IS_AIRFLOW_3


@covers("HAS_PLUGIN_PAGES")
def test_plugins_have_pages_since_airflow_3_1() -> None:
    """Airflow's UI shows them as external views."""
    from airflow.plugins_manager import AirflowPlugin

    assert hasattr(AirflowPlugin, "external_views") == compat.HAS_PLUGIN_PAGES


@covers("base_url_section")
def test_the_base_url_is_in_the_configuration() -> None:
    """Airflow describes the option in this section."""
    from airflow.configuration import conf

    section: Any = conf.configuration_description[compat.base_url_section()]
    check("base_url" in section["options"], "that section has base_url", compat.base_url_section)


# --- Operators -----------------------------------------------------------------------------------


@covers("SqlFileTemplates")
def test_only_sql_fields_name_files(tmp_path: Any) -> None:
    """When a DAG file is parsed, and when a task is rendered."""
    entry, path = compat.SqlFileTemplates, [str(tmp_path)]
    (tmp_path / "a.sql").write_text("SELECT {{ number }}", encoding="utf-8")
    render = has(
        "airflow.providers.common.compat.sdk", "BaseOperator._do_render_template_fields", entry
    )
    accepts(render, entry, None, None, ["query"], {}, None, set())
    with DAG("tickets", schedule=None, template_searchpath=path):
        parsed, rendered = (
            Templated(task_id=task_id, query="a.sql", name="a.sql") for task_id in "ab"
        )
    parsed.resolve_template_files()
    rendered.render_template_fields({"number": 1})  # type: ignore[typeddict-unknown-key]
    queries = [parsed.query, rendered.query]
    check(queries == ["SELECT {{ number }}", "SELECT 1"], "`query` names a file", entry)
    check([parsed.name, rendered.name] == ["a.sql", "a.sql"], "`name` names no file", entry)


def timeout_reason() -> object:
    """Return what Airflow gives a task as the reason if its deferral timed out."""
    if not compat.IS_AIRFLOW_3:
        return "Trigger/execution timeout"
    reasons = has("airflow.sdk.bases.operator", "TriggerFailureReason", compat.deferral_timed_out)
    return reasons.TRIGGER_TIMEOUT.value


@covers("Resumable")
def test_a_failed_deferral_resumes_with_fail() -> None:
    """Airflow calls resume_execution with __fail__, and the error as a keyword."""
    accepts(BaseOperator.resume_execution, compat.Resumable, None, "__fail__", {}, {})
    task = Resumed(task_id="wait")
    fail = "__fail__"
    if compat.IS_AIRFLOW_3:
        fail = has("airflow.sdk.bases.operator", "TRIGGER_FAIL_REPR", compat.Resumable)
    check(fail == "__fail__", "a failed deferral resumes with __fail__", compat.Resumable)
    assert task.resume_execution("execute_complete", {"event": 1}, {}) == 1
    assert task.resume_execution(fail, {"error": timeout_reason()}, {}) == "timed out"
    crash = {"error": "Trigger failure", "traceback": ["line 1"]}
    assert task.resume_execution(fail, crash, {}) == "crashed: Trigger failure"


@covers("deferral_timed_out")
def test_a_timeout_is_told_from_a_crash() -> None:
    """By TriggerFailureReason on Airflow 3, by Airflow's text on 2."""
    reasons = [timeout_reason(), "Trigger failure", None]
    assert [compat.deferral_timed_out(reason) for reason in reasons] == [True, False, False]
    if not compat.IS_AIRFLOW_3:
        source = inspect.getsource(importlib.import_module("airflow.jobs.scheduler_job_runner"))
        check(f'"{timeout_reason()}"' in source, "it has this text", compat.deferral_timed_out)


@covers("PokeLoop")
def test_a_sensor_chooses_the_pauses_of_airflows_poke_loop() -> None:
    """The loop asks the private hook before each sleep."""
    hook = "_get_next_poke_interval"
    check(hasattr(BaseSensorOperator, hook), f"BaseSensorOperator.{hook} exists", compat.PokeLoop)
    sensor = Sensor(task_id="wait", poke_interval=7, timeout=60)
    sensor.run_poke_loop({})
    assert sensor.pokes == 3
    check(getattr(sensor, "chosen", None) == 7, f"the loop calls {hook}", compat.PokeLoop)


@covers("first_reschedule_date")
def test_a_rescheduled_sensor_knows_its_first_poll(request: pytest.FixtureRequest) -> None:
    """From a method on Airflow 3, from the database on 2."""
    from tests.worker import Instance

    entry = compat.first_reschedule_date
    if compat.IS_AIRFLOW_3:
        method = has(TASK_RUNNER, "RuntimeTaskInstance.get_first_reschedule_date", entry)
        accepts(method, entry, None, {})
        assert method(None, {"task_reschedule_count": 0}) is None
    else:
        has("airflow.sensors.base", "_orig_start_date", entry)
        request.getfixturevalue("airflow_database")
    ti = Instance(BaseOperator(task_id="wait"))
    assert entry(ti, {"ti": ti}) is None
    ti.remember_reschedule(ti.start_date)
    assert entry(ti, {"ti": ti}) == ti.start_date


@covers("previous_success_xcom")
def test_the_last_successful_run_is_found() -> None:
    """By its run id on Airflow 3, as a task instance on 2."""
    from tests.worker import Instance

    entry = compat.previous_success_xcom
    which = {"task_ids": "wait", "key": "finetune_job", "map_indexes": -1}
    if compat.IS_AIRFLOW_3:
        ti_class = has(TASK_RUNNER, "RuntimeTaskInstance", entry)
        accepts(ti_class.get_previous_dagrun, entry, None, state="success")
        accepts(ti_class.xcom_pull, entry, None, run_id="weekly", **which)
    else:
        ti_class = has("airflow.models.taskinstance", "TaskInstance", entry)
        accepts(ti_class.get_previous_ti, entry, None, state="success")
        accepts(ti_class.xcom_pull, entry, None, **which)
    runs = [("success", {"id": "ft_1"}), ("failed", {"id": "ft_2"})]
    ti = Instance(BaseOperator(task_id="wait"), earlier=runs)
    assert entry(ti, "finetune_job") == {"id": "ft_1"}
    assert entry(Instance(BaseOperator(task_id="wait")), "finetune_job") is None


# --- Triggers ------------------------------------------------------------------------------------


@covers("triggers_hear_of_kills")
def test_triggers_hear_of_kills_since_airflow_3_3() -> None:
    """A coroutine without arguments, and cleanup after it."""
    from airflow.triggers.base import BaseTrigger

    assert compat.triggers_hear_of_kills() == (compat.AIRFLOW_VERSION >= (3, 3))
    entry = compat.triggers_hear_of_kills
    if compat.triggers_hear_of_kills():
        on_kill: Any = BaseTrigger.on_kill
        check(inspect.iscoroutinefunction(on_kill), "on_kill is a coroutine function", entry)
        accepts(on_kill, entry, None)
    check(inspect.iscoroutinefunction(BaseTrigger.cleanup), "cleanup is a coroutine", entry)


@needs_3_3
@covers("task_state")
@pytest.mark.parametrize(("map_index", "name"), [(-1, "wait"), (3, "wait_3")])
def test_a_trigger_can_ask_for_its_tasks_state(
    map_index: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow names a mapped task by its map index."""
    ti_class = has(TASK_RUNNER, "RuntimeTaskInstance", compat.task_state)
    method = has(TASK_RUNNER, "RuntimeTaskInstance.get_task_states", compat.task_state)
    which: dict[str, Any] = {"dag_id": "tickets", "task_ids": ["wait"], "run_ids": ["weekly"]}
    accepts(method, compat.task_state, map_index=map_index, **which)
    monkeypatch.setattr(ti_class, "get_task_states", lambda **_: {"weekly": {name: "deferred"}})
    ti = SimpleNamespace(**vars(XComs.of) | {"map_index": map_index})
    assert compat.task_state(ti) == "deferred"


@covers("get_xcom", "set_xcom")
def test_a_trigger_can_read_and_write_xcoms(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the task instance's identity."""
    real: Any = XCom
    accepts(real.get_one, compat.get_xcom, key="k", **vars(XComs.of))
    accepts(real.set, compat.get_xcom, key="k", value={}, **vars(XComs.of))
    monkeypatch.setattr(compat, "XCom", XComs())
    assert compat.get_xcom(XComs.of, "k") is None
    compat.set_xcom(XComs.of, "k", {"a": 1})
    assert compat.get_xcom(XComs.of, "k") == {"a": 1}


# --- Links ---------------------------------------------------------------------------------------


@covers("stored_link")
def test_a_stored_link_is_an_xcom(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Airflow 2, by the key of its task instance; Airflow 3 stores links itself."""
    if not compat.IS_AIRFLOW_3:
        real: Any = XCom
        accepts(real.get_value, compat.stored_link, ti_key=None, key="k")
    links = SimpleNamespace(get_value=lambda *, ti_key, key: {"k": f"of {ti_key}"}.get(key))
    monkeypatch.setattr(compat, "XCom", links)
    assert compat.stored_link("ti", "k") == "of ti"
    assert compat.stored_link("ti", "other") == ""
    monkeypatch.setattr(compat, "XCom", object())
    assert compat.stored_link("ti", "k") == ""


# --- The Snowflake provider's hook ---------------------------------------------------------------


def cached_names(cls: type) -> Iterator[str]:
    """Return the names of a class's cached properties, without those of Airflow's base hooks."""
    for base in cls.__mro__:
        if base.__module__.startswith("airflow.providers.snowflake"):
            yield from (name for name, v in vars(base).items() if isinstance(v, cached_property))


@covers("fresh_login")
def test_a_fresh_login_keeps_nothing_of_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login uses the password and the token of its time, and looks the connection up once."""
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    entry = compat.fresh_login
    hook = SnowflakeHook("snowflake_default")
    cached = set(cached_names(SnowflakeHook))
    check(cached <= {"_get_static_conn_params"}, f"no other property is cached: {cached}", entry)
    has_token = "_oauth_token" in vars(getattr(hook, "_oauth", hook))
    check(has_token, "hook._oauth or the hook itself has _oauth_token", entry)
    lookups = []
    find = BaseHook.get_connection.__func__  # type: ignore[attr-defined]

    def get_connection(cls: Any, conn_id: str) -> Any:
        lookups.append(conn_id)
        return find(cls, conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", classmethod(get_connection))
    for password in "old", "new":
        settings = {"conn_type": "snowflake", "login": "me", "password": password}
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
        with compat.fresh_login(hook):
            hook.get_connection("snowflake_default")
            found: Any = hook._get_conn_params()  # noqa: SLF001
        check(found["password"] == password, f"the password is {password!r}", entry)
    check(len(lookups) == 2, f"each login has one look-up; got {len(lookups)} for two", entry)
    holder: Any = getattr(hook, "_oauth", hook)
    holder._oauth_token = "old"  # noqa: SLF001
    with compat.fresh_login(hook):
        assert holder._oauth_token is None  # noqa: SLF001
    assert "get_connection" not in vars(hook)


# --- The jobs page and the commands --------------------------------------------------------------

SECURITY = "airflow.api_fastapi.core_api.security"
RESOURCES = "airflow.api_fastapi.auth.managers.models.resource_details"
MANAGER = "airflow.api_fastapi.auth.managers.base_auth_manager"


@needs_3_1
@covers("current_user")
def test_the_api_server_knows_the_viewer() -> None:
    """FastAPI calls it for each request to the page."""
    has(SECURITY, "get_user", compat.current_user)
    assert callable(compat.current_user())


@needs_3_1
@covers("may_view_plugins")
def test_the_auth_manager_knows_who_may_view_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those see the page."""
    entry = compat.may_view_plugins
    has("airflow.api_fastapi.app", "get_auth_manager", entry)
    view = has(RESOURCES, "AccessView.PLUGINS", entry)
    method = has(MANAGER, "BaseAuthManager.is_authorized_view", entry)
    accepts(method, entry, None, access_view=view, user="me")
    stub = SimpleNamespace(is_authorized_view=lambda *, access_view, user: user == access_view)
    monkeypatch.setattr("airflow.api_fastapi.app.get_auth_manager", lambda: stub)
    assert entry(view)
    assert not entry("me")


@needs_3_1
@covers("may_read_tasks")
@pytest.mark.parametrize("dag_id", [None, "weekly"])
def test_the_auth_manager_knows_who_may_read_task_instances(
    dag_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer needs both the DAG's permission and that of its task instances."""
    entry = compat.may_read_tasks
    entity = has(RESOURCES, "DagAccessEntity.TASK_INSTANCE", entry)
    accepts(has(RESOURCES, "DagDetails", entry), entry, id="weekly", team_name=None)
    accepts(has("airflow.models.dag", "DagModel.get_team_name", entry), entry, "weekly")
    method = has(MANAGER, "BaseAuthManager.is_authorized_dag", entry)
    accepts(method, entry, None, method="GET", access_entity=entity, details=None, user="me")

    def is_authorized(*, method: str, access_entity: Any, details: Any, user: list[Any]) -> bool:
        assert (details and details.id, method) == (dag_id, "GET")
        return access_entity in user

    monkeypatch.setattr("airflow.models.dag.DagModel.get_team_name", lambda _: None)
    stub = SimpleNamespace(is_authorized_dag=is_authorized)
    monkeypatch.setattr("airflow.api_fastapi.app.get_auth_manager", lambda: stub)
    users: list[list[Any]] = [[None, entity], [None], [entity], []]
    assert [entry(user, dag_id) for user in users] == [True, False, False, False]


IDENTITY = ("dag_id", "run_id", "task_id", "map_index")


@needs_3_1
@covers("xcoms_since")
@pytest.mark.parametrize(
    ("model", "columns"),
    [
        ("airflow.models.xcom.XComModel", (*IDENTITY, "key", "value", "timestamp")),
        ("airflow.models.taskinstance.TaskInstance", (*IDENTITY, "operator", "state")),
    ],
)
def test_airflows_tables_have_the_columns_of_the_page(model: str, columns: tuple[str, ...]) -> None:
    """The page reads them with SQLAlchemy: tests/page/test_job_tasks.py does."""
    module, name = model.rsplit(".", maxsplit=1)
    table = has(module, f"{name}.__table__", compat.xcoms_since)
    missing = set(columns) - set(table.columns.keys())
    check(not missing, f"{name} has the columns {missing}", compat.xcoms_since)


@needs_3_1
@covers("xcom_equals")
def test_a_stored_xcom_is_json_text() -> None:
    """Read as JSON, it is the value's JSON text or the value itself."""
    serialize = has("airflow.models.xcom", "XComModel.serialize_value", compat.xcom_equals)
    stored = serialize("ft_1")
    check(compat.xcom_equals(stored, "ft_1"), f"{stored!r} equals 'ft_1'", compat.xcom_equals)
    assert compat.xcom_equals("ft_1", "ft_1")
    assert not compat.xcom_equals(serialize("ft_12"), "ft_1")
    assert not compat.xcom_equals({"id": "ft_1"}, "ft_1")


@needs_3_1
@covers("xcom_value")
def test_a_stored_xcom_is_its_value_or_json_text() -> None:
    """Workers store a value as it is, others its JSON text."""
    serialize = has("airflow.models.xcom", "XComModel.serialize_value", compat.xcom_value)
    value = {"rows": 1, "models": [{"score": None}]}
    stored = serialize(value)
    check(compat.xcom_value(stored) == value, f"{stored!r} is {value}", compat.xcom_value)
    assert compat.xcom_value(value) == value


@covers("find_connections_in_database")
def test_commands_find_connections_in_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.3 reads this variable when it loads the secrets backends."""
    name, entry = "_AIRFLOW_PROCESS_CONTEXT", compat.find_connections_in_database
    monkeypatch.setenv(name, "")
    entry()
    assert os.environ[name] == "server"
    if compat.AIRFLOW_VERSION >= (3, 3):
        supervisor = "airflow.sdk.execution_time.supervisor"
        load = has(supervisor, "ensure_secrets_backend_loaded", entry)
        check(name in inspect.getsource(load), f"the secrets backends depend on {name}", entry)


@covers("EXTRAS_ARE_HASHED", "event_extra")
def test_an_event_s_extra_is_what_airflow_can_store() -> None:
    """Airflow before 3.1 hashes each value, so lists and mappings are JSON text there."""
    extra = {"model": "m", "evaluation": {"models": [1.0]}}
    stored = compat.event_extra(extra)
    if not compat.EXTRAS_ARE_HASHED:
        assert stored == extra
    else:
        assert stored == {"model": "m", "evaluation": '{"models": [1.0]}'}
        assert frozenset(stored.items())


@covers("task_state_store")
def test_the_task_state_store_is_in_the_context() -> None:
    """On Airflow 3.3 and later, with get and set."""
    store = object()
    assert compat.task_state_store({"task_state_store": store}) is store
    assert compat.task_state_store({}) is None
    if compat.AIRFLOW_VERSION >= (3, 3):
        entry = compat.task_state_store
        context = has("airflow.sdk.definitions.context", "Context.__annotations__", entry)
        check("task_state_store" in context, "a task's context has task_state_store", entry)
        accessor = has("airflow.sdk.execution_time.context", "TaskStateStoreAccessor", entry)
        accepts(accessor.get, entry, None, "k")
        accepts(accessor.set, entry, None, "k", {"a": 1})
