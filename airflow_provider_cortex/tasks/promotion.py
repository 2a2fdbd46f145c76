"""Promote a model: let an alias stand for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex import identifiers, model_alias
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.model_alias import ModelAlias
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


class Promotion:
    """
    The steps of promoting a model.

    :param alias: the alias, as the DAG file names it.
    :param new: the model, as the DAG file names it, and who promotes it.
    :param roles: the roles that may use it.
    :param namespace: completes both names.
    :raises ArgumentError: if a name is invalid.
    """

    def __init__(
        self, *, alias: str, new: ModelAlias, roles: Iterable[str], namespace: Namespace
    ) -> None:
        tuned = model_alias.tuned_model("model", new.model, namespace)
        self._is_tuned = tuned is not None
        self._alias = alias.strip()
        self._function = namespace.full_name_of("alias", alias)
        self._roles = [_role(name) for name in roles]
        self.new = replace(new, model=tuned or new.model.strip())
        """The model by its full name."""

    def run(
        self, hook: CortexHook, log: Log, *, check_not_killed: Callable[[], None]
    ) -> str | None:
        """
        Promote the model, and return the one that was in use before.

        :raises ArgumentError: if the model does not exist, or the function is another one.
        """
        model, old = self.new.model, hook.alias(identifiers.written(self._function))
        if self._is_tuned and not hook.has_model(model):
            problem = f"{model} does not exist in Snowflake, so it cannot be promoted."
            raise ArgumentError("model", model, problem, "It may have been dropped.")
        check_not_killed()
        # In this order: a role that may call the function may use its model.
        if self._is_tuned:
            for role in self._roles:
                call = model_alias.grant_model(model, role)
                hook.run_once(call, about=f"grant model {model} to role {role.written}")
        previous = self._replace(old, hook, log)
        for role in self._roles:
            call = model_alias.grant_function(self._function, role)
            hook.run_once(call, about=f"grant alias {self._alias} to role {role.written}")
        return previous

    def _replace(self, old: ModelAlias | None, hook: CortexHook, log: Log) -> str | None:
        """Let the alias stand for the model, and return the model for which it stood before."""
        model, alias = for_log(self.new.model), for_log(self._alias)
        if old is None:
            previous = None
            log.info("Promoting model %s: %s is a new alias", model, alias)
        elif not model_alias.is_same_model(old.model, self.new.model):
            previous = old.model
            log.info("Promoting model %s: %s stood for %s", model, alias, for_log(previous))
        elif old.is_of_same_task(self.new):
            log.info("An earlier try of this task has promoted model %s as %s", model, alias)
            return old.previous_model
        else:
            log.info("Model %s is already in use as %s", model, alias)
            return old.model
        call = model_alias.promote(self._function, replace(self.new, previous_model=previous))
        hook.run_once(call, about=f"promote model {self.new.model} as {self._alias}")
        return previous


def _role(name: str) -> Identifier:
    (role,) = identifiers.parse_argument("grant_usage_to", name, max_parts=1)
    return role
