"""The cache of decoded datasets on disk: where they are, what they contain, and when they are removed."""
