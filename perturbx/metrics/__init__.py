"""Is an explanation faithful?"""
