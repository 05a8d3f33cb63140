"""Decoded sets on disk: where they are, what is in them, and when they go."""
