"""No classes: any image may follow from any latent vector."""

PLANES = 0


def condition(num_classes: int, num_features: int) -> None:
    """Nothing."""
