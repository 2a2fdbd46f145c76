"""
Airflow's differences between versions, and the private APIs that this package uses.

Nothing else in the package asks for Airflow's version or uses a name that Airflow or its Snowflake
provider keeps private, but for ``asset_watching.py``, and ``snowflake_session.py``, which overrides
``SnowflakeHook._get_conn_params``. Each entry says in which versions it was read, and what to do if
it breaks. ``tests/test_compat.py`` runs through all of them on each Airflow that is tested.

Read in Airflow 2.11.0, 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2 and in the Snowflake provider 6.12
and 6.20, unless an entry says otherwise.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, cast

import airflow
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator, XCom

AIRFLOW_VERSION = tuple(int(part) for part in airflow.__version__.split(".")[:2])

IS_AIRFLOW_3 = AIRFLOW_VERSION >= (3, 0)

HAS_PLUGIN_PAGES = AIRFLOW_VERSION >= (3, 1)
"""Whether Airflow shows pages of plugins (``AirflowPlugin.external_views``)."""

EXTRAS_ARE_HASHED = AIRFLOW_VERSION < (3, 1)  # see event_extra


def base_url_section() -> str:
    """Return the section of Airflow's configuration that has ``base_url``."""
    return "api" if IS_AIRFLOW_3 else "webserver"


# --- Operators -----------------------------------------------------------------------------------


class SqlFileTemplates(BaseOperator):
    """
    An operator of which only some template fields may name a ``.sql`` file.

    Airflow's ``Templater`` reads a file for every field that ends with an extension of
    ``template_ext``. If ``_do_render_template_fields`` is renamed, an argument that merely ends
    in ``.sql`` fails with ``TemplateNotFound``: override its successor, for normal and for mapped
    tasks.
    """

    sql_fields: Iterable[str] = ()
    """The template fields that may name a file."""

    def resolve_template_files(self) -> None:
        """Read the files that *sql_fields* name."""
        fields, self.template_fields = self.template_fields, tuple(self.sql_fields)
        try:
            super().resolve_template_files()
        finally:
            self.template_fields = fields

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *arguments: Any, **options: Any
    ) -> None:
        render, extensions = super()._do_render_template_fields, self.template_ext
        if parent is not self:  # an object within one of the fields
            render(parent, template_fields, *arguments, **options)
            return
        try:
            for field in template_fields:
                self.template_ext = extensions if field in self.sql_fields else ()
                render(parent, [field], *arguments, **options)
        finally:
            self.template_ext = extensions


class Resumable(BaseOperator):
    """
    A deferrable operator that decides itself what a failed deferral means.

    Airflow resumes such a task with the method ``__fail__``. The operators' and sensors' own
    ``resume_execution`` then fail, retry and skip by rules that differ between releases and from
    those of a sensor in poke mode. If the protocol changes, a deferral that times out fails as
    crashed.
    """

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any
    ) -> Any:
        """Resume with the trigger's event, or without one if the deferral failed."""
        kwargs = next_kwargs or {}
        if next_method == "execute_complete":
            return self.execute_complete(context, **kwargs)
        reason = kwargs.get("error")
        if deferral_timed_out(reason):
            return self.deferral_timed_out(context)
        self.log.error("The trigger crashed:\n%s", "".join(kwargs.get("traceback") or ()))
        return self.trigger_crashed(context, str(reason))

    def execute_complete(self, context: Any, event: object = None) -> Any:
        """Resume with the trigger's event."""
        raise NotImplementedError

    def deferral_timed_out(self, context: Any) -> Any:
        """Resume after the deferral's timeout, with no event."""
        raise NotImplementedError

    def trigger_crashed(self, context: Any, reason: str) -> Any:
        """Resume after the trigger ended without an event."""
        raise NotImplementedError


class PokeLoop(BaseSensorOperator):
    """
    A sensor that chooses each pause of Airflow's own poke loop.

    ``BaseSensorOperator.execute`` is the loop; Airflow 3 wraps it in a guard that warns when a
    resumed task runs it. ``_get_next_poke_interval`` is its private hook for the pause: if it is
    renamed, the sensor polls at ``poke_interval`` in the modes poke and reschedule.
    """

    def run_poke_loop(self, context: Any) -> Any:
        """Call :meth:`poke` until it succeeds, as Airflow does."""
        return inspect.unwrap(BaseSensorOperator.execute)(self, context)

    def next_pause(self, fixed: Callable[[], float]) -> float:
        """
        Return the seconds to the next poke.

        :param fixed: returns what Airflow would choose, by ``poke_interval``.
        """
        return fixed()

    def _get_next_poke_interval(self, *arguments: Any, **options: Any) -> float:
        inherited = super()._get_next_poke_interval
        return self.next_pause(lambda: inherited(*arguments, **options))


def deferral_timed_out(reason: object) -> bool:
    """
    Return whether Airflow ended a deferral because its timeout passed.

    Airflow 3 has ``TriggerFailureReason``, Airflow 2 only a text. If the text is another one, the
    task fails as if its trigger had crashed.
    """
    if IS_AIRFLOW_3:
        from airflow.sdk.bases.operator import TriggerFailureReason

        return reason == TriggerFailureReason.TRIGGER_TIMEOUT
    return reason == "Trigger/execution timeout"


def first_reschedule_date(ti: Any, context: Any) -> datetime | None:
    """
    Return when a rescheduled sensor polled for the first time; None at its first poll.

    Airflow 3 has a public method, Airflow 2 the private ``_orig_start_date``. Without either, the
    timeout of a rescheduled sensor would count anew at each poll.
    """
    if IS_AIRFLOW_3:
        return cast("datetime | None", ti.get_first_reschedule_date(context))
    from airflow.sensors.base import _orig_start_date

    first_try = (ti.max_tries or 0) - (ti.task.retries or 0) + 1
    first = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try)
    return cast("datetime | None", first)


def previous_success_xcom(ti: Any, key: str) -> object:
    """Return an XCom of this task's last successful run, None if there is none."""
    which = {"task_ids": ti.task_id, "key": key, "map_indexes": ti.map_index}
    if IS_AIRFLOW_3:
        run = ti.get_previous_dagrun(state="success")
        return None if run is None else ti.xcom_pull(run_id=run.run_id, **which)
    previous = ti.get_previous_ti(state="success")
    return None if previous is None else previous.xcom_pull(**which)


def event_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the extra of an asset event as Airflow can store it.

    Airflow 2 and 3.0 hash the values (``register_asset_changes_in_db``): lists and mappings are
    JSON text there. Without it Airflow 2 fails the finished task, and 3.0 loses the event.
    """
    if not EXTRAS_ARE_HASHED:
        return dict(extra)
    nested = {key: json.dumps(each) for key, each in extra.items() if isinstance(each, list | dict)}
    return {**extra, **nested}


# --- Triggers ------------------------------------------------------------------------------------


@cache
def triggers_hear_of_kills() -> bool:
    """Return whether Airflow calls ``BaseTrigger.on_kill``: 3.3 and later."""
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill")


def task_state(ti: Any) -> str | None:
    """
    Return the state of a deferred task, in a thread of the triggerer. Airflow 3.3 and later.

    ``RuntimeTaskInstance.get_task_states`` is not documented for triggers. Without it nothing is
    cancelled when a trigger is killed, and the log says so.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
    return cast("str | None", states.get(ti.run_id, {}).get(name))


def get_xcom(ti: Any, key: str) -> object:
    """
    Return an XCom of a task instance, in a thread of the triggerer; None if there is none.

    ``XCom.get_one`` and ``XCom.set`` exist in all versions, with the same keywords, but are not
    documented for triggers. Without them a restarted triggerer counts its budgets anew.
    """
    return cast("object", XCom.get_one(key=key, **_identity(ti)))


def set_xcom(ti: Any, key: str, value: object) -> None:
    """Set an XCom of a task instance, in a thread of the triggerer."""
    XCom.set(key=key, value=value, **_identity(ti))


def _identity(ti: Any) -> dict[str, Any]:
    return {
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
        "run_id": ti.run_id,
        "map_index": ti.map_index,
    }


# --- Links ---------------------------------------------------------------------------------------


def stored_link(ti_key: Any, key: str) -> str:
    """Return a link that the task stored as an XCom: Airflow 2's webserver has no other way."""
    read = getattr(XCom, "get_value", None)
    return (read and read(ti_key=ti_key, key=key)) or ""


# --- The Snowflake provider's hook ---------------------------------------------------------------


@contextmanager
def fresh_login(hook: Any) -> Iterator[None]:
    """
    Have a ``SnowflakeHook`` log in with what its connection says now.

    The hook looks the connection up several times for one login. Some releases cache the result
    for good (``_get_static_conn_params``), and an OAuth token until it expires (``_oauth_token``,
    in newer ones of ``_oauth``), though Snowflake may have rejected it. If these names change, a
    new login may use an old password or token.
    """
    hook.__dict__["get_connection"] = cache(type(hook).get_connection)
    hook.__dict__.pop("_get_static_conn_params", None)
    vars(getattr(hook, "_oauth", hook))["_oauth_token"] = None
    try:
        yield
    finally:
        del hook.__dict__["get_connection"]


# --- The jobs page and the commands --------------------------------------------------------------


def current_user() -> Any:
    """
    Return the FastAPI dependency that gives the viewer. Airflow 3.1+.

    It is the API server's own, and not documented for plugins. Without it the page does not load.
    """
    from airflow.api_fastapi.core_api.security import get_user

    return get_user


def may_view_plugins(user: Any) -> bool:
    """
    Return whether a viewer may see Airflow's plugins, as the API server's own pages ask. Airflow
    3.1+; without it the page is closed to everybody.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView

    manager = get_auth_manager()
    return bool(manager.is_authorized_view(access_view=AccessView.PLUGINS, user=user))


def may_read_tasks(user: Any, dag_id: str | None = None) -> bool:
    """
    Return whether a viewer may read the task instances of a DAG, or any at all. Airflow 3.1+.

    The API server's own routes ask for the task instances alone; the DAG's own permission is asked
    for, too, for auth managers that do not imply it. Without it the page shows no tasks.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
        DagDetails,
    )
    from airflow.models.dag import DagModel

    details = None
    if dag_id is not None:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager = get_auth_manager()
    return all(
        manager.is_authorized_dag(method="GET", access_entity=entity, details=details, user=user)
        for entity in (DagAccessEntity.TASK_INSTANCE, None)
    )


def xcoms_since(
    key: str,
    text: str,
    since: datetime,
    *,
    limit: int,
    max_length: int,
    is_newest_first: bool = False,
) -> list[Any]:
    """
    Return the XComs with a key and a text in their value, oldest first, each with its task
    instance. Airflow 3.1+.

    It reads Airflow's tables: a plugin in the API server has no other way. The columns *dag_id*,
    *run_id*, *task_id*, *map_index*, *timestamp*, *value*, *operator* and *state* are in every 3.x.
    *value* is JSON text of the JSON text, or the value: see :func:`xcom_value`. If the tables
    change, the page shows no tasks.

    :param text: ASCII without quotes and backslashes, which is the same in JSON.
    :param max_length: longer ones are left out, in characters of JSON.
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import Text, and_, func, select

    identity = ("dag_id", "run_id", "task_id", "map_index")
    same = [getattr(TaskInstance, name) == getattr(XComModel, name) for name in identity]
    columns = [getattr(XComModel, name) for name in (*identity, "timestamp", "value")]
    # As text: databases differ in how they compare JSON.
    stored = XComModel.value.cast(Text)
    query = (
        select(*columns, TaskInstance.operator, TaskInstance.state)
        .join(TaskInstance, and_(*same))
        .where(XComModel.key == key)
        .where(XComModel.timestamp >= since)
        .where(func.length(stored) <= max_length)
        .where(stored.contains(text, autoescape=True))
        .order_by(XComModel.timestamp.desc() if is_newest_first else XComModel.timestamp)
        .limit(limit)
    )
    with create_session() as session:
        return list(session.execute(query).all())


def xcom_equals(stored: object, value: str) -> bool:
    """Return whether a stored XCom is a text: Airflow keeps its JSON text, as JSON."""
    return isinstance(stored, str) and stored in {value, json.dumps(value)}


def xcom_value(stored: object) -> object:
    """
    Return the value of a stored XCom that is no text: Airflow keeps it, or its JSON text.

    :raises ValueError: if it is a text that is not JSON.
    """
    return json.loads(stored) if isinstance(stored, str) else stored


def find_connections_in_database() -> None:
    """
    Have this process find the connections in Airflow's database.

    Airflow's own commands do the same (``airflow connections get``). Without it Airflow 3.3 looks
    only at environment variables and secrets backends: then a command does not find the
    connection.
    """
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def task_state_store(context: Mapping[str, Any]) -> Any:
    """Return the store that a task keeps beyond its tries: Airflow 3.3+, else None."""
    return context.get("task_state_store")
