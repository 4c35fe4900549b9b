"""Which perturbations are tried."""
