"""The subcommands, a module a topic."""
