"""Recovery when a run diverges or lacks memory or disk space."""
