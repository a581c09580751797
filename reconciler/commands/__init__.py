"""One thin module for each subcommand: arguments in, pipeline, renderer out."""

DEFAULT_PATH = "manifests"
"""Where manifests are read from unless the command line names others."""
