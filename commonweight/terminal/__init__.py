"""How commands speak, wait, log and end."""
