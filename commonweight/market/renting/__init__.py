"""Machines that are rented: written down before they are asked for, and ended by whoever wrote them down."""
