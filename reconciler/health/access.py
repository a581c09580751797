"""XG300, XG301 and XG341: whether each account is reached, and by which endpoint."""

from __future__ import annotations

from reconciler.model import Ailment, Severity


def unreachable(account: str, why: str, *, applying: bool) -> Ailment:
    """Return that an account is not reached to be planned, or to be applied to."""
    return Ailment(
        "XG301" if applying else "XG300", Severity.ERROR, account,
        f"it cannot be reached to {'apply' if applying else 'plan'}: {why}",
        "it is left out of every plan" if not applying else "every change of it fails",
        "mend its `access`, the role's trust policy or the profile, as the message says",
    )  # fmt: skip


def global_sts() -> Ailment:
    """Return that sessions come from the global endpoint of STS (facts sheet 5.3)."""
    return Ailment(
        "XG341", Severity.WARNING, "", "the AWS configuration says sts_regional_endpoints = legacy",
        "sessions of the global endpoint are of no use in regions that were opted into; those of a region are",
        "take it out of the AWS configuration file, or AWS_STS_REGIONAL_ENDPOINTS out of the environment",
    )  # fmt: skip
