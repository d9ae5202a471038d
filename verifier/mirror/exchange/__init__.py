"""The exchange between mirrors: heads, entries, messages and blobs."""
