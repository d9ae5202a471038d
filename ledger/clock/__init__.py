"""What moves time on: the keeper, when its next pass is due, and what it tells."""
