"""How a feature is removed: background rows, baselines, noise, superpixels, windows."""
