"""Objects to roles in accounts named prod-... that are made or changed without a permissions boundary."""

import json
import sys

plan = json.load(sys.stdin)
objections = [
    {
        "grant": change["grant"],
        "message": f"{change['address']} is in production and has no permissions boundary",
        "what_to_do": "write permissions_boundary",
    }
    for change in plan["resource_changes"]
    if change["type"] == "role" and change["account"].startswith("prod-")
    if change["change"]["after"] and not change["change"]["after"]["permissions_boundary"]
]
for objection in objections:
    print(json.dumps(objection))
sys.exit(1 if objections else 0)
