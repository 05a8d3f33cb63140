"""What looks at a training while it goes on: health, quality and diagnosis."""
