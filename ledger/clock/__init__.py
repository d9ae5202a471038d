"""The keeper: its passes, their times, and its log lines."""
