"""The configuration: sections that the rooms declare, composed into experiments."""

from crossback_core.config.experiment import Experiment, JointTask, Preset, Settings
from crossback_core.config.loading import load_settings

__all__ = ["Experiment", "Preset", "Settings", "JointTask", "load_settings"]
