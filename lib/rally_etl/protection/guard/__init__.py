"""Somebody else's importer under protection: what it did, what of it is taken over, and under which ids."""
