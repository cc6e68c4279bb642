"""Inputs and params of the rules for trials."""

import zlib

TRIALS = "results/{dataset}/trials/target_{target}/"
TRIAL = f"{TRIALS}{{trial}}/"
REPEAT = f"{TRIALS}repeat_{{repeat}}/"
FOLD = f"{TRIALS}fold_{{fold}}/"


def repeat_seed(wildcards: Wildcards) -> int:
    """Return the seed by which a repeat draws training samples: that of its training."""
    return seed_of_trial(f"repeat_{wildcards.repeat}")


def trial_seed(wildcards: Wildcards) -> int:
    """Return the seed of a trial's trainings."""
    return seed_of_trial(wildcards.trial)


def seed_of_trial(trial: str) -> int:
    """Return a seed that no other trial has, nor a neighbouring seed of the configuration."""
    return zlib.crc32(f"{SETTINGS.seed} {trial}".encode())


def fold_number(wildcards: Wildcards) -> int:
    """Return which part of the training samples a job holds out."""
    return int(wildcards.fold)
