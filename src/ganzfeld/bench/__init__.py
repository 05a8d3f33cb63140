"""Side-by-side speed: ours against the loop that a tutorial would write, in one run on one machine."""
