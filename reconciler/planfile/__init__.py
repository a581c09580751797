"""Plan files: what was reviewed, as data. Nothing in one is ever executed; it is compared with a plan made anew."""

from reconciler.planfile.binding import Binding, bind
from reconciler.planfile.contents import PlanFile, parse, sealed
from reconciler.planfile.disk import check_target, read_bytes, write_private

__all__ = ["Binding", "PlanFile", "bind", "check_target", "parse", "read_bytes", "sealed", "write_private"]
