"""An embedded chain for one machine."""
