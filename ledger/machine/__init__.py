"""The replica of the machine of rules in this process, and the effects of its entries on rows."""
