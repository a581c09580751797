"""Using a grant: which one is meant, what its session is asked with, why AWS refuses, and profiles for AWS's tools."""

from reconciler.use.choice import Use, choose, chosen, uses
from reconciler.use.profiles import profiles, usable
from reconciler.use.refused import explained
from reconciler.use.request import request_for

__all__ = ["Use", "choose", "chosen", "explained", "profiles", "request_for", "usable", "uses"]
