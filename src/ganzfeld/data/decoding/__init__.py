"""Decode the bytes of a file into the pixels used for training."""
