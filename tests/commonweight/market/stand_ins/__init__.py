"""Servers that answer as the providers' published interfaces say, and fail on demand."""
