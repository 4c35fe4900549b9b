"""Parameters that classes of several rooms share, for their docstrings."""

ASKING = """archive : path or Archive, optional
        A file that keeps every answer, so that a run that was killed goes on where it ended, and
        another analysis of the same rows costs nothing. Name the model's version with
        `px.Archive(path, model="v1")`.
    retries : int
        How often a call that fails is made again, after pauses that double. A batch that keeps
        failing is split, so that the row at fault is found and named.
    retry_on : exception class or tuple of them
        The exceptions after which a call is made again, such as (ConnectionError, TimeoutError).
    timeout : float, optional
        The most seconds that one call may take; then it counts as failed with a TimeoutError."""
