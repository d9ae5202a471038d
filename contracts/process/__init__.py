"""Parts that every process needs: children, listening addresses, outages, clock and folder."""
