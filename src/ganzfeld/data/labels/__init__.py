"""Read the classes of images from tables of labels."""
