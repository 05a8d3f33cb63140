"""Survey a dataset before training and warn about its problems."""
