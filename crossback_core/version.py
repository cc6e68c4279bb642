"""The version of the code, and that of its numbers."""

__version__ = "0.2.0"
NUMERICS = 3  # raised whenever results change in any digit: Snakemake then makes all of them again
