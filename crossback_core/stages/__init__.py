"""One function per rule of the workflow: paths and settings in, files out.

A module for each file of `rules/`. The arguments of a function are those of its rule: input,
output, params. Every function can be called without Snakemake.
"""
