"""The command line and the demo: the only package that imports all others."""
