"""Photos as what a command explains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from perturbx.cli.models import Model, classes, kinds_of, load, shape_of
from perturbx.cli.options import positive
from perturbx.cli.photos import LONGEST, photo_files, preprocess_for, read_photo
from perturbx.cli.subject import Subject, say
from perturbx.errors import InvalidInputError, InvalidParameterError, PerturbxError, PredictFnError

OPTIONS = ("size", "crop", "mean", "std")


def add_photos(parser: argparse.ArgumentParser) -> None:
    """The photos, and how a network takes them."""
    parser.add_argument(
        "photos", nargs="*", type=Path, metavar="PHOTO", help="photos, or folders of photos"
    )
    group = parser.add_argument_group("photos, as the ONNX file takes them")
    group.add_argument("--size", type=int, metavar="N", help="pixels per side, if it takes any")
    group.add_argument(
        "--crop", type=positive, metavar="SHARE", help="keep a central box, as 0.875 does"
    )
    for name in ("mean", "std"):
        group.add_argument(
            f"--{name}",
            type=_channels,
            metavar="R,G,B",
            help=f"the {name} of brightness (0 to 1) in training (default: that of ImageNet)",
        )


def _channels(text: str) -> Any:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be numbers between commas: got {text!r}") from error
    return numbers if len(numbers) > 1 else numbers[0]


def photo_subject(chosen: argparse.Namespace) -> Subject:
    """The photos and the model that takes them."""
    files = photo_files(chosen.photos)
    output_names = classes(chosen.classes)
    model, longest = load(chosen), LONGEST
    if model.network is None:
        for option in OPTIONS:
            if getattr(chosen, option) is not None:
                raise InvalidParameterError(
                    f"--{option} is for ONNX files: {model.name} gets the photos as they are."
                )
    else:
        whole = "integer" in (kinds_of(model) or {}).values()
        preprocess = preprocess_for(shape_of(model), whole, chosen)
        longest = max(longest, 3 * max(preprocess.sides) // 2)
        model = model.asked(preprocess=preprocess)
    photos = [read_photo(path, longest) for path in files]
    if model.network is not None:
        model = _checked(model, photos[0], output_names, chosen)
    rows = [str(path) for path in files]
    return Subject(model, photos, photos, rows, output_names, of_photos=True)


def _checked(
    model: Model, photo: Any, output_names: list[str] | None, chosen: argparse.Namespace
) -> Model:
    """The network once it has answered a photo, with a softmax if it answers with logits."""
    try:
        (answer,) = model.network([photo])
    except PerturbxError:
        raise
    except Exception as error:  # onnxruntime has one class per status
        raise PredictFnError(f"{model.name} cannot answer: {error}") from error
    k = answer.size
    if output_names is not None and len(output_names) != k:
        raise InvalidInputError(
            f"--classes: {chosen.classes} has {len(output_names)} names; {model.name} has {k} "
            "outputs."
        )
    is_distribution = answer.min() >= 0 and abs(float(answer.sum()) - 1) < 1e-3
    if chosen.activation != "auto" or k == 1 or is_distribution:
        return model
    say(chosen, f"note: {model.name} answers with logits; their softmax is explained.")
    return model.asked(output="softmax")
