"""The duties that the machine awaits of a verifier, one module a duty."""
