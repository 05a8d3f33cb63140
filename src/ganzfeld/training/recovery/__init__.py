"""When a training cannot go on as it was: what is done, what is said, and what would have fitted."""
