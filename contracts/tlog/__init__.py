"""The transparency log in the formats of the field (C2SP), so that others' witnesses, monitors and checkers read it.

Bytes and text in, values out, and back; no socket, no clock, no database. docs/adr/0029 says which versions.
"""
