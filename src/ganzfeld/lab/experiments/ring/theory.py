"""Closed forms of ``ring``: the divergence of a histogram. For density and entropy see ``Mixture``."""

FORMULAS = {
    "density": r"p(x) = \frac{1}{K}\sum_k \mathcal{N}(x;\,\mu_k,\,\sigma^2 I)",
    "entropy of modes that do not touch": r"-E\log p = \log K + \log(2\pi e\sigma^2)",
    "points of high quality": r"P(|x-\mu|<3\sigma) = 1-e^{-9/2}",
    "histogram of n exact points": r"E\,KL \approx \frac{K-1}{2n}",
}


def expected_divergence(num_modes: int, num_points: int) -> float:
    """Return the mean KL of a histogram of points drawn evenly, (K - 1) / 2n to first order (Miller 1955)."""
    return (num_modes - 1) / (2 * num_points)
