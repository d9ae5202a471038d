"""This process's copy of the machine of rules, and what its entries cause in rows."""
