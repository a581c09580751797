"""What a grant demands of its callers, as far as an event shows whether it was met."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from reconciler.audit.tally import Demands
from reconciler.model import Grant
from reconciler.policy.case import fold
from reconciler.use.conditions import demands

_MOST_KNOWN = 10_000


def demands_of(grant: Grant) -> Demands:
    """Return what can be held against an event. MFA is counted of every session, so it is none of it."""
    return Demands(_inside(grant), external_id=demands(grant.conditions, "sts:externalid"))


def _inside(grant: Grant) -> Callable[[str], bool]:
    """Return what says whether an address is one that the grant lets in; what is no address is not judged.

    CloudTrail writes the name of the service where AWS itself calls for somebody.
    """
    networks = [
        _network(value)
        for operator, keys in grant.conditions.items()
        for key, values in keys.items()
        for value in values
        if fold(operator) == "ipaddress" and fold(key) == "aws:sourceip"
    ]
    if not networks or None in networks:
        return lambda _: True
    known: dict[str, bool] = {}

    def inside(text: str) -> bool:
        if text not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                return True
            known[text] = any(network is not None and address in network for network in networks)
        return known[text]

    return inside


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return a network; None of what is none, as a trust condition in IAM's own words may have."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
