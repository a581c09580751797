"""One thin module for each subcommand: arguments in, pipeline, renderer out."""
