"""Learning: the training loop, pruning, the key/value swap, picking and growing."""
