"""Commands for holders and contributors."""
