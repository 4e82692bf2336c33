"""Figures of a team in the standings, recomputed from its match lines by the rules of its league."""
