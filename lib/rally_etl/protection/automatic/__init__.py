"""Known problems that may be mended without being asked for each time: what they are, who allows it, where they are."""
