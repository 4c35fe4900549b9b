"""Are scores the same bits in every version of Python, and with other versions of NumPy?

Each method explains inputs that are fixed to the last bit, with models that only add, multiply,
divide, compare and take square roots, which every machine rounds alike. A digest of the scores and
one of their errors is printed per method. With other interpreters, given as paths, their digests
are compared with this one's. What differs between two releases of NumPy or SciPy is the rounding
of linear algebra, and so the difference of the largest score is shown too.

    python -m benchmarks.scale.same_bits [--quick] [--check] [INTERPRETER ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np

from benchmarks.command import parser, process, status
from benchmarks.report import Target, head, line

Found = dict[str, Any]


def model(rows: Any) -> np.ndarray:
    """Two outputs with interactions, each a few exactly rounded operations."""
    x = np.asarray(rows, dtype=np.float64).T
    first = x[0] * x[1] - x[2] / (1.0 + x[3] * x[3]) + np.sqrt(np.abs(x[4]))
    return np.stack([first, first * np.where(x[5] > 0.25, x[6], -x[7])], axis=1)


def model_of_images(images: Any) -> np.ndarray:
    """A weighted sum of some pixels, one after the other, and its square."""
    flat = np.asarray(images, dtype=np.float64).reshape(len(images), -1)
    total = np.zeros(len(flat))
    for j in range(0, flat.shape[1], 7):
        total = total + flat[:, j] * (j % 5 - 2.0)
    return total + total * total / 64


def model_of_texts(texts: list[str]) -> np.ndarray:
    """Counts of words, with one interaction."""
    return np.array([t.count("good") - 2.0 * t.count("bad") * t.count("not") for t in texts])


def explanations() -> dict[str, Callable[[], Any]]:
    """An explanation by each method, by name."""
    import perturbx as px

    rng = np.random.default_rng(0)
    rows, image = np.rint(rng.normal(size=(40, 14)) * 64) / 64, rng.integers(0, 256, (32, 32, 3))
    train, few, wide = rows[:20], rows[20:23], px.Background(rows[:20])
    text = ["a good day and a not so bad night, good food"]

    def table(method: Any, budget: int | None = 3000, **settings: Any) -> Callable[[], Any]:
        made = method(model, budget=budget, random_state=0, **settings)
        return lambda: made.fit(train).explain(few)

    def one(method: Any, predict_fn: Any, X: Any, **settings: Any) -> Callable[[], Any]:
        return lambda: method(predict_fn, random_state=0, **settings).explain(X)

    photo = image / 256.0
    return {
        "KernelShap, every coalition": one(
            px.KernelShap, model, few[:, :8], masker=px.Background(train[:, :8])
        ),
        "KernelShap, regression": table(px.KernelShap, masker=wide, estimator="regression"),
        "KernelShap, process": table(px.KernelShap, masker=wide, estimator="process"),
        "KernelShap, rows": table(px.KernelShap, masker=wide, estimator="rows"),
        "KernelShap, interactions": table(
            px.KernelShap, masker=wide, estimator="process", interactions=True
        ),
        "KernelShap, tol": table(px.KernelShap, masker=wide, tol=0.02),
        "PermutationShap": table(px.PermutationShap, masker=wide),
        "Banzhaf": table(px.Banzhaf, masker=wide),
        "Lime": table(px.Lime, 1000),
        "Occlusion": table(px.Occlusion, None, masker=wide),
        "OwenShap": table(px.OwenShap, masker=px.ColumnTree(train)),
        "Rise": table(px.Rise, masker=wide),
        "IntegratedGradients": table(px.IntegratedGradients, 1000),
        "SmoothGrad": table(px.SmoothGrad, 1000),
        "ConditionalCopula": table(px.KernelShap, 2000, masker=px.ConditionalCopula()),
        "ConditionalForest": table(px.KernelShap, 2000, masker=px.ConditionalForest()),
        "photo, OwenShap": one(px.OwenShap, model_of_images, photo, budget=300),
        "photo, Rise": one(px.Rise, model_of_images, photo, budget=300),
        "photo, Occlusion": one(px.Occlusion, model_of_images, photo),
        "text, KernelShap": one(px.KernelShap, model_of_texts, text, masker=px.Tokens()),
        "text, OwenShap": one(px.OwenShap, model_of_texts, text, masker=px.Tokens(), budget=60),
    }


def digests(quick: bool) -> Found:
    """For each method: digests of its scores and their errors, and the largest score."""
    import scipy

    found: Found = {
        "versions": [
            sys.version.split()[0],
            f"numpy {np.__version__}",
            f"scipy {scipy.__version__}",
        ]
    }
    for i, (name, explain) in enumerate(explanations().items()):
        if quick and i % 3:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explanation = explain()
        values, errors = explanation.values, explanation.standard_errors
        digest = [
            sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:12] for a in (values, errors)
        ]
        found[name] = [*digest, float(np.abs(values).max())]
    return found


def main() -> int:
    """Explain here and by other interpreters, compare, and print."""
    made = parser(quick="a third of the methods")
    made.add_argument("interpreters", nargs="*", help="paths of other interpreters")
    made.add_argument("--alone", action="store_true", help="print digests as JSON, and no more")
    arguments = made.parse_args()
    own = digests(arguments.quick)
    if arguments.alone:
        print(json.dumps(own))
        return 0
    flags = ["--alone"] + ["--quick"] * arguments.quick
    others = []
    for path in arguments.interpreters:
        command = [path, *process(*flags)[1:]]
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ})
        others.append(json.loads(done.stdout))
    versions = [" ".join(found.pop("versions")) for found in (own, *others)]
    print(head(["method", f"scores, errors in {versions[0]}", *versions[1:]]))
    targets = []
    for name, (values, errors, largest) in own.items():
        cells = []
        for version, found in zip(versions[1:], others, strict=True):
            is_same = found[name][:2] == [values, errors]
            targets.append(Target(f"{name}, {version}", float(is_same), least=1))
            cells.append("same" if is_same else f"{found[name][2] / largest - 1:.1e}")
        print(line([name, f"{values} {errors}", *cells]))
    return status(arguments.check, targets)


if __name__ == "__main__":
    sys.exit(main())
