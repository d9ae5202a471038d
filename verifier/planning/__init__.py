"""The planning of audits: cost, detection, and limits that are measured on this machine."""
