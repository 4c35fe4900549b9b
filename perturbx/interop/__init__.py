"""Bridges to networks, shap and DataFrames; heavy imports happen inside functions."""

from perturbx.interop._exports import to_frame as to_frame
from perturbx.interop._exports import to_shap as to_shap
from perturbx.interop._lime import as_list as as_list
from perturbx.interop._lime import as_map as as_map
from perturbx.interop._mlflow import log_mlflow as log_mlflow
from perturbx.interop._onnx import from_onnx as from_onnx
from perturbx.interop._photos import ImagePreprocess as ImagePreprocess
from perturbx.interop._shap import from_shap as from_shap
from perturbx.interop._torch import from_torch as from_torch
from perturbx.interop._vision import efficientnet_lite0 as efficientnet_lite0
from perturbx.interop._vision import imagenet_classes as imagenet_classes
