"""Figures of docs/benchmarks.md, each by one command: `python -m benchmarks.<name>`."""
