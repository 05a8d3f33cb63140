"""What is said about a set of images before anybody trains on it."""
