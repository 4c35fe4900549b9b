"""Doctests whose library is missing are not collected."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["perturbx/interop/_torch.py"]
