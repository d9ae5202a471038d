"""Events of the chain: final ones are applied, unconfirmed ones can be taken back."""
