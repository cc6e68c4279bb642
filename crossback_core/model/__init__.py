"""The network: Perceiver IO with masked weights and per-task parameters."""
