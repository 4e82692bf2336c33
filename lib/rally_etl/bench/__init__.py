"""What the project claims of itself in figures, measured again: each module is one bench, run by a target of make."""
