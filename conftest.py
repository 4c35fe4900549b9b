"""Settings that must hold before numpy is imported, in every worker of pytest."""

import os
from importlib.util import find_spec

# Tests are many small problems: threads in each worker would fight over the cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Its example runs on torch.
collect_ignore = [] if find_spec("torch") else ["perturbx/interop/_torch.py"]
