"""The values that move through xgrant. Every one of them is frozen; a changed one is a copy.

Words: see the table in CONTRIBUTING.md. Durations are in seconds.
"""

from __future__ import annotations

from reconciler.model.declared import (
    ACTIVE,
    Access,
    Account,
    Grant,
    Limits,
    Manifest,
    Organization,
    Principal,
    PrincipalKind,
    Require,
    WebIdentity,
)
from reconciler.model.live import AccountFacts, Carried, Departed, Live, Scope
from reconciler.model.plan import Action, Change, Finding, Plan, Severity, Step, Verb, Whole, essence, fingerprint
from reconciler.model.resources import (
    Address,
    CallerPolicy,
    Kind,
    ManagedPolicy,
    Resource,
    Role,
    State,
    as_data,
    differing,
    resource_fingerprint,
)
from reconciler.model.run import ApiCall, Caller, Event, Outcome, Result, Status, StepEnded, StepStarted
from reconciler.model.unread import StatedTags, UnreadTags, UnreadTagsError, UnresolvedError

__all__ = [
    "ACTIVE",
    "Access",
    "Account",
    "AccountFacts",
    "Action",
    "Address",
    "ApiCall",
    "Caller",
    "CallerPolicy",
    "Carried",
    "Change",
    "Departed",
    "Event",
    "Finding",
    "Grant",
    "Kind",
    "Limits",
    "Live",
    "ManagedPolicy",
    "Manifest",
    "Organization",
    "Outcome",
    "Plan",
    "Principal",
    "PrincipalKind",
    "Require",
    "Resource",
    "Result",
    "Role",
    "Scope",
    "Severity",
    "State",
    "StatedTags",
    "Status",
    "Step",
    "StepEnded",
    "StepStarted",
    "UnreadTags",
    "UnreadTagsError",
    "UnresolvedError",
    "Verb",
    "WebIdentity",
    "Whole",
    "as_data",
    "differing",
    "essence",
    "fingerprint",
    "resource_fingerprint",
]
