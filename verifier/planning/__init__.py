"""What auditing costs and detects, and limits measured on one's own machine."""
