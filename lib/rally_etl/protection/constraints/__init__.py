"""Constraints of the database it meets: what is needed, what stands in the way, how it is mended."""
