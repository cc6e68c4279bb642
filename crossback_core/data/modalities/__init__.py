"""Modalities: one file each, named like the modality, with its `MODALITY`.

Their names are known without importing them, which takes torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossback_core.registry import Registry

if TYPE_CHECKING:
    from crossback_core.data.modality import Modality

MODALITIES: Registry[Modality] = Registry(
    "modality", package="crossback_core.data.modalities", attribute="MODALITY"
)
