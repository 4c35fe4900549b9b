"""The link function: the scale on which averaged outputs are explained."""

from __future__ import annotations

import numpy as np

from perturbx._rounding import SINGLE
from perturbx._typing import Floats, LinkName
from perturbx.errors import PredictFnError


def link(values: Floats, name: LinkName, whose: str = "some rows") -> Floats:
    """The link function of averaged outputs; `whose` describes them in errors."""
    check_link(values, name)
    if name == "identity":
        return values
    if ((values <= 0) | (values >= 1)).any():
        raise PredictFnError(
            'link="logit" needs outputs strictly between 0 and 1, as the logit of 0 or 1 is '
            f"infinite: an output of {whose} is exactly {0 if (values <= 0).any() else 1}. Let "
            "predict_fn clip its outputs, as in predict_fn=lambda X: "
            'np.clip(model.predict_proba(X), 1e-6, 1 - 1e-6), or use link="identity".'
        )
    return np.asarray(np.log(values) - np.log1p(-values))


def link_parts(averaged: Floats, name: LinkName, whose: str = "") -> Floats:
    """(1 + n_parts, m, k) averages over all background rows and over parts, on the link's scale.

    Parts are linearized at the average over all rows, since the link may be undefined at their
    own averages.
    """
    whole = link(averaged[:1], name, whose)
    slope = averaged[:1] * (1 - averaged[:1])
    return np.concatenate([whole, whole + (averaged[1:] - averaged[:1]) / slope])


def check_link(values: Floats, name: LinkName) -> None:
    """Refuse outputs outside the domain of the link, before they are averaged."""
    if name == "logit" and not ((values >= -SINGLE) & (values <= 1 + SINGLE)).all():
        raise PredictFnError(
            'link="logit" needs outputs strictly between 0 and 1: got values from '
            f"{values.min():.6g} to {values.max():.6g}. If the outputs are logits, use "
            'link="identity", or let predict_fn return probabilities, as '
            'px.interop.from_torch(module, output="softmax") does.'
        )
