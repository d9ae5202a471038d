"""What a run begins with, where it is not drawn from its seed: another model's weights."""
