"""Accuracy and error bars on games whose Shapley values are known."""
