"""The parameters that every method shares, for its docstring."""

from perturbx._docstrings import ASKING

COMMON = f"""predict_fn : callable or fitted model
        A batch of rows, images or texts to (n,) or (n, k) scores. An object is asked through its
        predict_proba, decision_function or predict, the first that it has. It receives the
        container that you pass to `explain`: same columns, types and categories. Rows of a
        frame are numbered from 0: what the model reads from the index must be a column.
    masker : Masker, optional
        How a feature is removed. By default the method's own for tables, superpixels or windows
        for images, and words for texts.
    budget : int, optional
        The most model rows that one instance may cost. The two or three rows by which the model's
        outputs are learned, in `fit` or in the first call without it, come on top.
    tol : float, optional
        Stop once every standard error is below tol * (largest - smallest score of the
        instance). None or 0 spends the whole budget.
    outputs : None, int, str, list or "top3"
        Which outputs are explained: all, by position, by name, or the largest of each instance.
    output_names, feature_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    groups : mapping of str to list of columns, optional
        Columns that are one feature, such as the columns of a one-hot code: by label, by name,
        or by position where no label is an integer.
    link : "identity" or "logit"
        Applied to the averaged output before solving; scores add up on that scale.
    batch_size : int, optional
        The most rows in one call of predict_fn; by default what fits into the cache.
    n_jobs : int, optional
        Workers that ask the model, and threads that solve outputs and instances, as in joblib;
        None leaves it to ``joblib.parallel_config``.
    {ASKING}
    on_error : "raise" or "partial"
        "partial": if the model keeps failing, or at Ctrl-C, the scores rest on what it answered
        until then, with larger errors; instances without enough answers have NaN, and a warning
        names them. Perturbations are then tried in rounds, as with `tol`.
    max_memory : float or str, optional
        The most bytes that perturbations and their answers may take, or a text such as "2 GB"; a
        budget that needs more is refused at the start. By default what the machine has.
    stochastic : "auto", True or False
        Whether predict_fn answers differently each time, as a language model does. Then part of
        the budget asks again where that lowers the errors most, and `noise_errors` tells the noise
        of the model from what was not tried. "auto" asks the first row twice; say True if
        differences are rare. False warns if they are found.
    random_state : int, numpy generator or None
        Fixes every number, whatever n_jobs and batch_size, except what a stochastic model answers.
    verbose : int
        1 shows a progress bar with rows per second and the time left."""
