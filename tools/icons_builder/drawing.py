"""Drawing an icon with resvg."""

import io

import numpy as np
import resvg_py
from PIL import Image

from icons_builder.pictures import Icon, Picture


def draw(icon: Icon) -> Picture:
    """Draw an icon, black where it leaves the colour open, on white."""
    png = resvg_py.svg_to_bytes(icon.svg, background="white", skip_system_fonts=True)
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return Picture(icon, np.asarray(image))
