"""Commands of holders and contributors."""
