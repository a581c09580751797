"""What moto refuses and AWS takes; the strict layer has checked before what AWS has to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.iam import models as _models
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

# moto's names are exchanged in place: it has no switch for them.
models: Any = _models

_Tag = dict[str, str]


class _BothVersions:
    """Takes the old version of the policy language too, and a document that states none (facts sheet 4.5)."""

    def _validate_version(self) -> None:
        """Refuse nothing: the grammar of the strict layer knows both versions."""


class _Identity(_BothVersions, IAMPolicyDocumentValidator):
    pass


class _Trust(_BothVersions, IAMTrustPolicyDocumentValidator):
    pass


def _tags_by_exact_key(_backend: Any, tags: list[_Tag]) -> dict[str, _Tag]:
    """Stand in for moto's check, which folds the keys of managed policies; AWS does not (facts sheet 1.2)."""
    return {tag["Key"]: tag for tag in tags}


@contextmanager
def lenient() -> Iterator[None]:
    """Let moto take what AWS takes, for calls that the caller keeps apart from all others."""
    standing = (
        models.IAMPolicyDocumentValidator, models.IAMTrustPolicyDocumentValidator, models.IAMBackend._tag_verification,
    )  # fmt: skip
    _swap(_Identity, _Trust, _tags_by_exact_key)
    try:
        yield
    finally:
        _swap(*standing)


def _swap(identity: Any, trust: Any, verification: Any) -> None:
    models.IAMPolicyDocumentValidator = identity
    models.IAMTrustPolicyDocumentValidator = trust
    models.IAMBackend._tag_verification = verification
