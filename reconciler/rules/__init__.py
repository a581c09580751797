"""What a plan is checked for, one file a rule. A rule reads a plan and yields findings; it decides nothing else."""

from reconciler.rules.account_unreadable import account_unreadable
from reconciler.rules.caller_policy_elsewhere import caller_policy_of_another_stack
from reconciler.rules.destroy_prevented import destroy_prevented
from reconciler.rules.limits import ACCEPTABLE, limits
from reconciler.rules.managed_policy_taken import managed_policy_taken
from reconciler.rules.oidc import many_trusted, oidc_provider_missing
from reconciler.rules.other_side import other_side
from reconciler.rules.permission_sets import permission_set_policy, permission_set_unassigned
from reconciler.rules.policy_bounds import policy_bounds
from reconciler.rules.policy_missing import policy_missing
from reconciler.rules.principal_missing import principal_missing
from reconciler.rules.quotas import quotas
from reconciler.rules.role_not_owned import role_not_owned
from reconciler.rules.session_capped import session_capped
from reconciler.rules.sessions_revoked import sessions_revoked
from reconciler.rules.validity import expired, expires_soon, not_begun, rotation_due, two_external_ids

__all__ = ["ACCEPTABLE", "RULES"]

RULES = (
    account_unreadable,
    role_not_owned,
    principal_missing,
    policy_missing,
    policy_bounds,
    managed_policy_taken,
    quotas,
    session_capped,
    other_side,
    caller_policy_of_another_stack,
    destroy_prevented,
    limits,
    sessions_revoked,
    expires_soon,
    expired,
    not_begun,
    rotation_due,
    two_external_ids,
    permission_set_policy,
    permission_set_unassigned,
    oidc_provider_missing,
    many_trusted,
)
"""Every rule, in the order in which findings are shown."""
