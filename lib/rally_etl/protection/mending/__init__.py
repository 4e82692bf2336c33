"""What becomes of orphans: how each is known, how sure that is, and the plan that mends them."""
