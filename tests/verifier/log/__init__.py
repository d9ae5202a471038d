"""verifier/log: a log read by who believes nothing."""
