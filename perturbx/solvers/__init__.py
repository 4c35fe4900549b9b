"""Outputs to scores, with standard errors."""
