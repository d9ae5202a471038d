"""Names of folders that people have, and that a path written into an address breaks."""

from __future__ import annotations

NAMES = ("a b", "ü", "#", "%", "?", "&", ":", "@", "名", "%20", "a?mode=ro", "--help", "-", "[a]*", "'\"", "$HOME")
STRANGE = "a ü#%20?b&c:d@e 名"
"""All of them in one, for what is dear."""
