"""Copies of imported and user tables, and the way back to them."""
