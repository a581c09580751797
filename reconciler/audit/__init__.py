"""Who used the roles of grants: events of CloudTrail, joined to what the manifests say."""

from reconciler.audit.demands import demands_of
from reconciler.audit.event import OPERATIONS
from reconciler.audit.named import Standing
from reconciler.audit.report import Audit, AuditFinding, Gap, Looked, RoleAudit, Usage, audit, role_key
from reconciler.audit.tally import Count, Remembered, Tally, Values
from reconciler.audit.unused import Removal, Unjudged, unused
from reconciler.audit.who import Who, WhoKind

__all__ = [
    "OPERATIONS",
    "Audit",
    "AuditFinding",
    "Count",
    "Gap",
    "Looked",
    "Remembered",
    "Removal",
    "RoleAudit",
    "Standing",
    "Tally",
    "Unjudged",
    "Usage",
    "Values",
    "Who",
    "WhoKind",
    "audit",
    "demands_of",
    "role_key",
    "unused",
]
