"""Pictures of an explanation (extra `plots`: matplotlib)."""
