"""Scores that never saw the model, to read a metric against."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats
from perturbx.metrics._positions import boxes, centre_blob
from perturbx.metrics._scores import Scores
from perturbx.metrics._subject import Subject

RANDOM_ORDERS = 3
"""Random orders behind one reference."""


def references_of(subject: Subject) -> dict[str, list[Scores]]:
    """Orders of the features: some at random, and for images the centre first."""
    spatial = subject.given.spatial

    def random(draw: int) -> Scores:
        def order(i: int, j: int) -> Floats:
            return random_scores(subject, i, draw)

        return Scores(order, order)

    def central(i: int, j: int) -> Floats:
        return centre_blob(spatial[i])

    found = {"random": [random(draw) for draw in range(RANDOM_ORDERS)]}
    if spatial:
        found["centre blob"] = [Scores(central, central)]
    return found


def random_scores(subject: Subject, i: int, draw: int) -> Floats:
    """1, 2, ... dealt out to the columns of a table, or to boxes of an image."""
    rng = subject.rng(1, i, draw)
    if subject.given.n_features is not None:
        return rng.permutation(np.arange(1.0, 1.0 + subject.given.n_features))
    labels = boxes(subject.given.spatial[i])
    return np.asarray(rng.permutation(np.arange(1.0, labels.max() + 2.0))[labels])
