"""The subcommands of `rally-etl`, by what they work on: a run, past runs, the live database."""
