"""Drop the versions of a model that are no longer used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex import identifiers, model_versions
from airflow_provider_cortex.cortex.model_versions import ModelVersion
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.errors import CortexError, RejectedError, UnreachableError
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


class DropModels:
    """
    The steps of dropping a model's older versions.

    :param model: the name without Cortex's suffix.
    :param keep: how many of the newest versions to keep.
    :param protect: the names of others to keep.
    :param namespace: completes the name.
    :raises ArgumentError: if the name is invalid.
    """

    def __init__(
        self, *, model: str, keep: int, protect: Collection[str], namespace: Namespace
    ) -> None:
        self._model = namespace.full_name_of("model", identifiers.without_at(model))
        self._keep = keep
        self._protect = protect

    def decide(self, hook: CortexHook) -> dict[ModelVersion, str | None]:
        """
        Return why each version is kept; None for one to drop.

        The versions are listed first: what is promoted meanwhile is then found in use.

        :raises CortexError: if the versions, the aliases or the running statements cannot be
            listed.
        """
        versions = hook.versions(self._model)
        promoted = {name: alias.model for name, alias in hook.aliases().items()}
        statements = hook.statements_with(self._model[-1].text)
        return model_versions.reasons_to_keep(
            versions,
            newest=self._keep,
            protected=self._protect,
            promoted=promoted,
            running_statements=[each.text for each in statements if each.is_running],
        )

    def drop(
        self,
        reasons: dict[ModelVersion, str | None],
        hook: CortexHook,
        log: Log,
        *,
        dry_run: bool,
        check_not_killed: Callable[[], None],
    ) -> list[str]:
        """
        Drop the versions without a reason to keep them, oldest first, and return their names.

        :param dry_run: drop none.
        :raises RejectedError: if some could not be dropped; the others are.
        :raises UnreachableError: the same, if a retry may drop them.
        """
        dropped: list[str] = []
        failed: dict[str, CortexError] = {}
        for version, reason in reversed(reasons.items()):
            name = for_log(version.name)
            if reason:
                log.info("Keeping model %s: %s", name, reason)
                continue
            if dry_run:
                log.info("Would drop model %s", name)
            else:
                check_not_killed()
                try:
                    hook.run_once(version.drop, about=f"drop model {version.name}")
                except CortexError as error:
                    failed[version.name] = error
                    log.warning("Model %s was not dropped: %s", name, error)
                    continue
                log.info("Dropped model %s", name)
            dropped.append(version.name)
        if failed:
            raise _failure(failed, dropped)
        return dropped


def _failure(failed: Mapping[str, CortexError], dropped: Collection[str]) -> CortexError:
    """Return one error for all models that could not be dropped."""
    is_permanent = all(isinstance(error, RejectedError) for error in failed.values())
    kind = RejectedError if is_permanent else UnreachableError
    whole = len(failed) + len(dropped)
    reason = next(iter(failed.values()))
    return kind(f"{len(failed)} of {whole} models were not dropped: {', '.join(failed)}. {reason}")
