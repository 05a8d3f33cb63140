"""Classes of images, from files of labels and from folders."""
