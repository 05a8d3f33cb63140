"""Decode a source into a dataset in the cache, with several processes."""
