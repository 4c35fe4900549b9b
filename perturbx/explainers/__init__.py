"""The methods: recipes of masker, sampler and solver."""
