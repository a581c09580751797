# Denies roles in accounts named prod-... that are made or changed without a permissions boundary.
package xgrant

import rego.v1

deny contains message if {
	some entry in input.resource_changes
	entry.type == "role"
	startswith(entry.account, "prod-")
	entry.change.after != null
	entry.change.after.permissions_boundary == null
	message := sprintf("%s is in production and has no permissions boundary", [entry.address])
}
