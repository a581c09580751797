"""The regions that botocore knows."""

from __future__ import annotations

from collections.abc import Iterable

import botocore.session


def known_regions(partitions: Iterable[str]) -> frozenset[str]:
    """Return the regions of partitions; one that AWS has opened since is known to a newer botocore only."""
    session = botocore.session.get_session()
    return frozenset(region for one in partitions for region in session.get_available_regions("ec2", one))
