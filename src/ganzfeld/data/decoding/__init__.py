"""From the bytes of a file to the pixels that are trained on."""
