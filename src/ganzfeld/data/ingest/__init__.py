"""From a source to a decoded set, by several processes."""
