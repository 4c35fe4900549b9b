"""Bridges to shap, DataFrames and frameworks; heavy imports inside the functions."""

from perturbx.interop._frames import to_frame as to_frame
from perturbx.interop._shap import to_shap as to_shap
