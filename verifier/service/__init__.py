"""The verifier process: a look at everybody, then the duties."""
