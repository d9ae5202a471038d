"""Adapters: a file a provider, over its HTTP interface. docs/market.md says what each was written against."""
