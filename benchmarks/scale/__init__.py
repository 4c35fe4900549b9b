"""Time and memory around models that cost nothing."""
