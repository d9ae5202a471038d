"""verifier/proof: one proof gathered from the log, saved, replayed and explained."""
