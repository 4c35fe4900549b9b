"""Bridges to shap, DataFrames and frameworks; heavy imports inside the functions."""
