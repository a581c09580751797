"""The whole flow: each function here is a job from end to end, and only here the parts are wired together."""

from reconciler.manifest import load
from reconciler.pipeline.departed import departed, left_behind
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.executors import elsewhere
from reconciler.pipeline.imports import import_roles
from reconciler.pipeline.main_job import PARALLELISM, Request, apply_plan, aws_ports, check_accepted, make_plan
from reconciler.pipeline.merge import merge_plan_files
from reconciler.pipeline.plan_files import plan_again, read_plan_file, shard_data, write_plan_file
from reconciler.pipeline.read_back import ReadBack
from reconciler.pipeline.shards import Elsewhere, reconcile
from reconciler.pipeline.stores import locks_held, read_history, read_one_record, release_locks
from reconciler.pipeline.turns import Turn, one_at_a_time
from reconciler.planfile import check_target

__all__ = [
    "PARALLELISM",
    "Elsewhere",
    "ReadBack",
    "Request",
    "Turn",
    "apply_plan",
    "aws_ports",
    "check_accepted",
    "check_target",
    "departed",
    "elsewhere",
    "import_roles",
    "left_behind",
    "load",
    "load_with_accounts",
    "locks_held",
    "make_plan",
    "merge_plan_files",
    "one_at_a_time",
    "plan_again",
    "read_history",
    "read_one_record",
    "read_plan_file",
    "reconcile",
    "release_locks",
    "shard_data",
    "write_plan_file",
]  # fmt: skip
