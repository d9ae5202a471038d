"""Small histories made by hand: those on which all invariants hold, and those of which each breaks one condition."""
