"""Benchmarks of speed: this package against the loop of a tutorial, side by side in one process."""
