"""Scores of perturbx under the benchmarks, metrics and oracles of other libraries, unedited."""
