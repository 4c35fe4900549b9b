"""Settings for every worker of pytest, made before numpy is imported."""

import os
from importlib.util import find_spec

# Tests are many small problems, so threads in each worker would compete for the cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Its example needs torch.
collect_ignore = [] if find_spec("torch") else ["perturbx/interop/_torch.py"]
