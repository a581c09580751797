"""What a grant demands of its callers, as the condition block of its trust policy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from reconciler.manifest.source import PathTo
from reconciler.model import Require
from reconciler.policy.arn import external_id_error
from reconciler.policy.case import fold
from reconciler.policy.conditions import Conditions, joined, overlaps
from reconciler.policy.document import listed


class Report(Protocol):
    """Is told what is wrong, and where in the grant."""

    def __call__(self, code: str, path: PathTo, message: str, *, key: bool = False) -> None:
        """Note a problem; with `key` its place is that of the key."""
        ...


def demands(
    require: Mapping[str, Any], trust_conditions: Mapping[str, Mapping[str, Any]], times: Conditions, report: Report
) -> Conditions:
    """Return all that a grant demands: by `require`, by its own `trust_conditions`, and by when it begins and ends.

    What is wrong is reported; nothing is returned where one of them demands what another does.
    """
    for path, message in _wrong(require):
        report("XG034" if path[1] == "source_ip" else "XG013", path, message)
    required = Require(
        mfa=require.get("mfa", False),
        external_ids=external_ids_of(require),
        source_org=require.get("source_org"),
        source_ip=tuple(require.get("source_ip", ())),
    ).conditions()
    own: Conditions = {
        operator: {key: tuple(_text(value) for value in listed(values)) for key, values in keys.items()}
        for operator, keys in trust_conditions.items()
    }
    for operator, key in _twice(own):
        message = f"{key} stands twice under {operator}, since IAM ignores the case of keys; join the values"
        report("XG034", ("trust_conditions", operator, key), message, key=True)
    for operator, key in overlaps(joined(required, times), own):
        by = "`require`" if (operator, key) in overlaps(required, own) else _STATED[operator]
        message = f"{by} demands {operator} {key} already, and IAM would take either; state it once"
        report("XG034", ("trust_conditions", operator, key), message, key=True)
    return {} if overlaps(joined(required, times), own) else joined(joined(required, times), own)


_STATED = {"DateLessThan": "expires", "DateGreaterThanEquals": "starts"}
"""What makes a condition on the time; the schema knows operators in this case only."""


def external_ids_of(require: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the external ids that a grant accepts, as it states them: the newest first; while one is rotated, two."""
    stated = require.get("external_id")
    return () if stated is None else tuple(stated) if isinstance(stated, list) else (stated,)


def _wrong(require: Mapping[str, Any]) -> Iterator[tuple[PathTo, str]]:
    for index, network in enumerate(require.get("source_ip", ())):
        try:
            ipaddress.ip_network(network)
            if "/" in network and not network.rsplit("/", 1)[1].isdecimal():
                raise ValueError(f"{network!r} has a netmask, which IAM does not take")
        except ValueError as error:
            yield ("require", "source_ip", index), f"{error}; write it like 203.0.113.0/24"
    for index, external_id in enumerate(external_ids_of(require)):
        if wrong := external_id_error(external_id):
            several = (index,) if isinstance(require["external_id"], list) else ()
            yield ("require", "external_id", *several), wrong


def _twice(block: Conditions) -> Iterator[tuple[str, str]]:
    for operator, keys in block.items():
        seen: set[str] = set()
        for key in keys:
            if fold(key) in seen:
                yield operator, key
            seen.add(fold(key))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
