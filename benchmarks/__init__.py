"""Scripts that compare perturbx with other libraries: see README.md in this folder."""
