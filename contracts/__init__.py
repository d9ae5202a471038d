"""Messages, signing, trees, rules and chain access: the base of every other package (no torch, no database)."""
