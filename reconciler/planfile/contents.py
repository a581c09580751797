"""The bytes of a plan file to a verified value, and the other way round.

The checksum shows damage and careless edits. It is no signature: whoever can write the file can make it anew. What
guards against that is that apply plans again, and goes on only if it finds what the file says.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconciler.data import data_path
from reconciler.errors import PlanFileError, PolicyError
from reconciler.model import Account, AccountFacts, Change, Finding, Limits, Live, Plan, Rollout, Wave
from reconciler.planfile.rebuild import change, finding
from reconciler.policy.document import loads_strict
from reconciler.shards import Shard

if TYPE_CHECKING:
    import jsonschema

MAJOR = "1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_AGAIN = "plan again with `xgrant plan -o`"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan file whose form and checksum are right. `data` is all that stands in it.

    `plan` holds what was reviewed, made from the data: good for showing, not for applying, since secrets are masked.
    """

    plan: Plan
    data: Mapping[str, Any]
    only: frozenset[str]
    destroy: bool
    digest: str
    created_at: datetime
    expires_at: datetime
    shard: Shard | None = None
    """Of which part of the accounts it is, where it is not of all."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Of a shard, the ids of all accounts by their names, those of other shards included."""

    def wanted(self) -> bool:
        """Return whether the manifests asked for anything."""
        return bool(self.data["summary"]["wanted"])


def sealed(
    data: Mapping[str, Any],
    *,
    paths: list[str],
    digest: str,
    only: frozenset[str],
    destroy: bool,
    created_at: datetime,
    expires_at: datetime,
    shard: Mapping[str, Any] | None = None,
) -> str:
    """Return the text of a plan file: the plan's data, what apply needs to make it again, and a checksum."""
    contents = {
        **data,
        "source": {"paths": paths, "digest": digest},
        "only": sorted(only),
        "destroy": destroy,
        "created_at": created_at.astimezone(UTC).strftime(_TIME),
        "expires_at": expires_at.astimezone(UTC).strftime(_TIME),
        **({"shard": shard} if shard is not None else {}),
    }
    return json.dumps({**contents, "checksum": checksum(contents)}, indent=2) + "\n"


def checksum(contents: Mapping[str, Any]) -> str:
    """Return the SHA-256 digest, in hexadecimal, over the canonical JSON of all but the checksum itself."""
    rest = {key: value for key, value in contents.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse(content: bytes, name: str) -> PlanFile:
    """Return the verified plan file; `name` is what messages call it. PlanFileError for anything else."""
    data = _json(content, name)
    _check_form(data, name)
    if "checksum" not in data:
        raise PlanFileError(f"{name}: this is a plan as `--format json` prints it, not a plan file; {_AGAIN}")
    if data["checksum"] != checksum(data):
        raise PlanFileError(f"{name}: the file was edited or damaged since it was written; {_AGAIN}")
    try:
        created, expires = (datetime.strptime(data[k], _TIME).replace(tzinfo=UTC) for k in ("created_at", "expires_at"))
    except ValueError:
        raise PlanFileError(f"{name}: created_at or expires_at is no time; {_AGAIN}") from None
    if expires <= created:
        raise PlanFileError(f"{name}: the file expires before it was made; {_AGAIN}")
    try:
        changes = tuple(change(raw) for raw in data["resource_changes"])
        findings = tuple(finding(raw) for raw in data["findings"])
    except PolicyError as error:
        raise PlanFileError(f"{name}: {error}; {_AGAIN}") from None
    if "shard" in data and data["shard"]["number"] > data["shard"]["of"]:
        raise PlanFileError(f"{name}: it is a shard beyond the last; {_AGAIN}")
    if len({entry.address for entry in changes}) < len(changes):
        raise PlanFileError(f"{name}: an address stands twice in it; {_AGAIN}")
    return PlanFile(
        plan=_plan(data, changes, findings),
        data=data,
        only=frozenset(data["only"]),
        destroy=data["destroy"],
        digest=data["source"]["digest"],
        created_at=created,
        expires_at=expires,
        shard=Shard(data["shard"]["number"], data["shard"]["of"]) if "shard" in data else None,
        accounts=data["shard"]["accounts"] if "shard" in data else {},
    )


def _json(content: bytes, name: str) -> Any:
    try:
        return loads_strict(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise PlanFileError(f"{name}: the file is not UTF-8 text; {_AGAIN}") from None
    except PolicyError as error:
        raise PlanFileError(f"{name}: {error}; {_AGAIN}") from None


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    # Most runs read no plan file, and it takes long to import.
    import jsonschema

    return jsonschema.Draft202012Validator(
        json.loads(data_path("schemas/plan.schema.json").read_text(encoding="utf-8"))
    )


def _check_form(data: Any, name: str) -> None:
    version = data.get("format_version") if isinstance(data, dict) else None
    if not isinstance(version, str):
        raise PlanFileError(f"{name}: this is no plan file: it has no format_version; {_AGAIN}")
    major = re.match(r"([0-9]{1,6})\.", version)
    if major is not None and major.group(1) != MAJOR:
        raise PlanFileError(
            f"{name}: the file has format {version[:20]}, and this xgrant reads {MAJOR}.x; "
            "use the xgrant that wrote it, or plan again with this one"
        )
    error = next(iter(_validator().iter_errors(data)), None)
    if error is not None:
        # Keys are the file's own words: each on one line, whatever it holds.
        where = ".".join(json.dumps(str(part)[:80])[1:-1] for part in error.absolute_path) or "the file"
        raise PlanFileError(f"{name}: {where} is not as a plan file has it ({error.validator}); {_AGAIN}")


def _plan(data: Mapping[str, Any], changes: tuple[Change, ...], findings: tuple[Finding, ...]) -> Plan:
    facts = {
        raw["name"]: AccountFacts(
            Account(raw["name"], raw["id"], raw["managed"], raw.get("partition", "aws")), error=raw["error"]
        )
        for raw in data["accounts"]
    }
    limits = Limits(**data["shard"]["limits"]) if "shard" in data else Limits()
    owned = data["summary"].get("owned", 0)
    rollout, waves = _rollout(data["rollout"]) if "rollout" in data else (None, ())
    return Plan(
        data["stack"], {}, Live({}, facts), changes, (), findings, data["fingerprint"], limits, owned=owned,
        rollout=rollout, waves=waves,
    )  # fmt: skip


def _rollout(data: Mapping[str, Any]) -> tuple[Rollout, tuple[Wave, ...]]:
    waves = tuple(Wave(wave["name"], tuple(wave["accounts"])) for wave in data["waves"])
    return Rollout(frozenset(data["canary"]), tuple(data["then"]), data["stop_on"]), waves
