"""The verifier: draws, replays, comparison, verdicts and mirrors. The package never opens the ledger's database."""
