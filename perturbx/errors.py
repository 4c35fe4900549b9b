"""Every exception and warning of perturbx.

::

    PerturbxError
    ├── InvalidParameterError (ValueError)     a parameter of ours cannot have this value
    │   └── BudgetError                        the budget is below what the method needs
    ├── UnknownParameterError (TypeError)      a keyword that is not ours, often a peer's
    ├── SelectionError (IndexError, KeyError, TypeError)  explanation[...] picks what is not there
    ├── InvalidInputError (ValueError)         X, background or image is not what was expected
    ├── NotFittedError (ValueError)            explain before a fit that the method needs
    ├── ArchiveError (OSError)                 an archive cannot be read or written
    ├── PredictFnError (RuntimeError)          predict_fn failed, or returned no usable scores
    │   └── ModelError                         predict_fn raised, which it may not do again
    └── RejectPerturbations (TypeError)        a solver was given perturbations that it cannot read

    PerturbxWarning (UserWarning)
    ├── DamagedArchiveWarning                  an archive was damaged; what was lost is asked again
    ├── LowFidelityWarning                     a local fit describes the model poorly
    ├── PartialResultWarning                   the model failed; what it had answered is explained
    ├── NotConvergedWarning                    the budget was spent before `tol` was reached
    └── UnstableModelWarning                   the model answers differently for the same row
"""

from __future__ import annotations


class PerturbxError(Exception):
    """The base of all exceptions that perturbx raises on purpose."""


class InvalidParameterError(PerturbxError, ValueError):
    """A parameter has a value that it cannot have."""


class BudgetError(InvalidParameterError):
    """The budget is too small for this instance."""


class UnknownParameterError(PerturbxError, TypeError):
    """A keyword that the method does not have."""


class InvalidInputError(PerturbxError, ValueError):
    """X, the background, the groups or an image is not what was expected."""


class SelectionError(PerturbxError, IndexError, KeyError, TypeError):
    """A key of ``explanation[...]`` that picks nothing."""

    __str__ = Exception.__str__  # a KeyError would show the representation of its message


class NotFittedError(PerturbxError, ValueError):
    """``explain`` was called before ``fit``, and the method learns something in ``fit``."""


class PredictFnError(PerturbxError, RuntimeError):
    """``predict_fn`` raised, or returned something that cannot be explained."""


class ArchiveError(PerturbxError, OSError):
    """An archive cannot be read or written, or was written by something else."""


class ModelError(PredictFnError):
    """``predict_fn`` raised, which it may not do again."""


class RejectPerturbations(PerturbxError, TypeError):  # noqa: N818 - a refusal, not a fault
    """A solver cannot read these perturbations; the message names the sampler that it reads."""


class PerturbxWarning(UserWarning):
    """The base of all warnings of perturbx."""


class DamagedArchiveWarning(PerturbxWarning):
    """An archive was damaged: what could be read was kept, and the rest is asked again."""


class UnstableModelWarning(PerturbxWarning):
    """The model gave two answers for one row, with noise that standard errors do not include."""


class LowFidelityWarning(PerturbxWarning):
    """A local fit explains little of the model's output; ``explanation.fidelity`` says how much."""


class PartialResultWarning(PerturbxWarning):
    """The model failed, and the explanation rests on what it had answered by then."""


class NotConvergedWarning(PerturbxWarning):
    """The budget was spent before every standard error was as small as `tol` asks."""
