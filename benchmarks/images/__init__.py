"""Faithfulness of maps on a real network."""
