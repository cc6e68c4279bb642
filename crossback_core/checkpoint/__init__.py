"""Networks as files, and as their users see them."""

CHECKPOINT_FORMAT = 6  # raised whenever a checkpoint of before cannot be read any more
