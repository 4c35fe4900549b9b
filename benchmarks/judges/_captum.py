"""A torch network of a table: captum's own metrics, and its exact Shapley values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import perturbx as px
from sklearn.datasets import load_diabetes

from benchmarks.judges._verdict import Verdict, named
from benchmarks.peers import quiet

Array: TypeAlias = np.ndarray
Explains: TypeAlias = Callable[[Any], Any]
COLUMNS, BUDGET = 6, 42
"""Few columns, as captum enumerates their orders; and the model rows that every method may ask for
each row, fewer than the 64 coalitions. captum's baseline is one row of zeros."""

RADIUS, DRAWS = 0.02, 200


def of_captum(quick: bool) -> Iterator[Verdict]:
    """Infidelity and maximal sensitivity as captum computes them, and its exact Shapley values."""
    try:
        import torch
        from captum import metrics
    except ImportError as error:
        yield Verdict("captum", "infidelity and sensitivity", "lower", {}, f"needs {error.name}")
        return
    module, rows = _network()
    rows = rows[:3] if quick else rows[:20]
    suite, task = named("captum"), "network, diabetes"
    explains = methods(module)
    with quiet():
        found = {name: run(rows) for name, run in explains.items()}

    def draw(inputs: Any) -> tuple[Any, Any]:
        noise = torch.randn(inputs.shape, generator=generator) * 0.5
        return noise, inputs - noise

    infidelity, sensitivity = {}, {}
    for name, run in explains.items():
        generator = torch.Generator().manual_seed(0)
        one = metrics.infidelity(module, draw, rows, found[name], n_perturb_samples=DRAWS)
        infidelity[name] = one.tolist()
        torch.manual_seed(0)
        with quiet():
            two = metrics.sensitivity_max(
                lambda inputs, run=run: (run(inputs[0]),),
                rows,
                perturb_radius=RADIUS,
                n_perturb_samples=3,
            )
        sensitivity[name] = two.tolist()
    yield Verdict(suite, f"infidelity: {task}", "lower", infidelity)
    yield Verdict(suite, f"maximal sensitivity: {task}", "lower", sensitivity)
    truth = _exact(module, rows)
    error = {
        name: (((phi - truth) ** 2).sum(dim=1) / (truth**2).sum(dim=1)).tolist()
        for name, phi in found.items()
    }
    yield Verdict(suite, f"squared error to its exact Shapley values: {task}", "lower", error)


def methods(module: Any) -> dict[str, Explains]:
    """Scores (n, d), as tensors, of every method at the same number of model rows."""
    import torch
    from captum import attr

    def ours(rows: Any, method: Any) -> Any:
        predict = px.interop.from_torch(module, output=None)
        masker = px.Baseline(np.zeros(rows.shape[1]))
        explainer = method(predict, masker=masker, budget=BUDGET, random_state=0)
        return torch.tensor(explainer.explain(rows.numpy()).values, dtype=rows.dtype).view_as(rows)

    def theirs(rows: Any, method: Any, **settings: Any) -> Any:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002  captum draws from both
        parts = [method(module).attribute(row[None], **settings) for row in rows]
        return torch.cat(parts)

    return {
        "px.KernelShap": lambda rows: ours(rows, px.KernelShap),
        "px.PermutationShap": lambda rows: ours(rows, px.PermutationShap),
        "captum KernelShap": lambda rows: theirs(rows, attr.KernelShap, n_samples=BUDGET),
        "captum Lime": lambda rows: theirs(rows, attr.Lime, n_samples=BUDGET),
        "captum ShapleyValueSampling": lambda rows: theirs(
            rows, attr.ShapleyValueSampling, n_samples=BUDGET // COLUMNS
        ),
        "captum FeatureAblation": lambda rows: theirs(rows, attr.FeatureAblation),
    }


def _exact(module: Any, rows: Any) -> Any:
    """By captum's enumeration of all orders."""
    from captum.attr import ShapleyValues

    return ShapleyValues(module).attribute(rows, perturbations_per_eval=COLUMNS)


def _network() -> tuple[Any, Any]:
    """A small network of the standardized columns, trained from a fixed seed."""
    import torch

    X, y = load_diabetes(return_X_y=True)
    X, y = X[:, :COLUMNS] / X[:, :COLUMNS].std(axis=0), (y - y.mean()) / y.std()
    rows, target = torch.tensor(X).float(), torch.tensor(y).float()
    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(COLUMNS, 32),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 1),
        torch.nn.Flatten(0),
    ]
    module = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        ((module(rows) - target) ** 2).mean().backward()
        optimizer.step()
    return module.eval(), rows
