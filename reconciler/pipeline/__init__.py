"""The whole flow: each function here is a job from end to end, and only here the parts are wired together."""

from reconciler.manifest import load
from reconciler.pipeline.imports import import_roles
from reconciler.pipeline.main_job import Request, apply_plan, aws_ports, check_accepted, make_plan
from reconciler.pipeline.plan_files import plan_again, read_plan_file, write_plan_file
from reconciler.planfile import check_target

__all__ = [
    "Request", "apply_plan", "aws_ports", "check_accepted", "check_target", "import_roles", "load", "make_plan",
    "plan_again", "read_plan_file", "write_plan_file",
]  # fmt: skip
