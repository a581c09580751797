"""The rotation of an external id: by changes of the manifest, since it is agreed with somebody else.

By a first one the new id is accepted beside the old one; once everybody sends it, a second one drops the old one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from reconciler.errors import ManifestError, UsageError, XgrantError
from reconciler.manifest import load
from reconciler.manifest.patch import patch, text_of, value_at, with_first, with_first_only
from reconciler.manifest.removal import NotPatchedError
from reconciler.model import Grant, Manifest

_BYTES = 16
"""As many as nobody guesses; written as 32 of the 1,224 characters that AWS takes (facts sheet 1.1)."""


def rotated_external_id(paths: Sequence[str], manifest: Manifest, grant: Grant, *, finish: bool) -> str:
    """Return the patch of the manifests that accepts a new external id too, or with `finish` the new one only.

    It was tried: with it, the manifests say that, and nothing else than before.

    Raises:
        UsageError: there is nothing to begin, or to finish.
        XgrantError: it cannot be said by changing the one place where the grant states its external id.

    """
    accepted = grant.external_ids
    if finish and len(accepted) < 2:
        raise UsageError(f"the grant {grant.name} accepts one external id, so there is nothing to finish")
    if not finish and len(accepted) > 1:
        raise UsageError(
            f"the grant {grant.name} accepts two external ids already; drop the old one first: "
            f"xgrant rotate {grant.name} --finish"
        )
    file = grant.place.file
    before = text_of(file)
    at = ("grants", grant.name, "require", "external_id")
    # As it is stated: it may be made of variables.
    stated = value_at(before, at)
    if stated is None:
        raise XgrantError(
            f"{grant.place}: the grant {grant.name} has its external id from defaults, as others may; state one of its "
            "own in `require` first"
        )
    fresh: tuple[str, ...] = () if finish else (secrets.token_hex(_BYTES),)
    try:
        after = with_first(before, at, *fresh) if fresh else with_first_only(before, at)
        changed = load(paths, instead={file: after})
    except NotPatchedError as error:
        raise _by_hand(grant, str(error)) from None
    except ManifestError:
        raise _by_hand(grant, "the manifests would have problems then, as where an alias takes it up") from None
    if not _only_that(manifest, changed, grant, fresh):
        raise _by_hand(grant, "it stands for others, too")
    return patch(before, after, file)


def _by_hand(grant: Grant, why: str) -> XgrantError:
    return XgrantError(
        f"{grant.place}: the external id of the grant {grant.name} cannot be changed by a patch: {why}; change it by "
        "hand: `external_id: [NEW, OLD]`, and later `external_id: NEW`"
    )


def _only_that(before: Manifest, after: Manifest, grant: Grant, fresh: tuple[str, ...]) -> bool:
    """Return whether nothing is changed but what this grant accepts: another may share the value, by an alias."""
    old, new = ({(one.name, one.target): _bare(one) for one in found.grants} for found in (before, after))
    for key, one in old.items():
        if one.name == grant.name:
            old[key] = replace(one, external_ids=(*fresh, *one.external_ids) if fresh else one.external_ids[:1])
    return old == new


def _bare(grant: Grant) -> Grant:
    """Return a grant without where it stands, and with its external ids said once."""
    block = {
        operator: {key: values for key, values in keys.items() if key.casefold() != "sts:externalid"}
        for operator, keys in grant.conditions.items()
    }
    return replace(grant, place=replace(grant.place, line=0, column=0), conditions=block)
