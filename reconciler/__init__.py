"""xgrant: a declarative reconciler for cross-account access on AWS."""

__version__ = "0.1.0"
