"""Snapshots in files: consistent copies of imported and user tables, their proof, and the way back as a plan."""
