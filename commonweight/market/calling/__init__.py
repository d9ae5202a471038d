"""Calls to providers: HTTP, rows of answers, pauses that a provider asks for, scripts that fit its limit."""
