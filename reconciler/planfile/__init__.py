"""Plan files: what was reviewed, as data. Nothing in one is ever executed; it is compared with a plan made anew."""

from reconciler.planfile.binding import Binding, bind
from reconciler.planfile.contents import PlanFile, parse, sealed
from reconciler.planfile.disk import MAX_BYTES, begins_as_one, check_target, is_named_so, read_bytes, write_private

__all__ = [
    "MAX_BYTES",
    "Binding",
    "PlanFile",
    "begins_as_one",
    "bind",
    "check_target",
    "is_named_so",
    "parse",
    "read_bytes",
    "sealed",
    "write_private",
]
