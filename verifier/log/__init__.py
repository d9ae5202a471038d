"""The audit of an operator's log from a server, a mirror or a folder. Every byte is checked by its hash."""
