"""The statements behind the figures of standings; the binds of a league's rule are those of `standings.rules.binds`."""
