"""Networks as files, and as their users see them."""

CHECKPOINT_FORMAT = 4  # raised whenever a checkpoint of before cannot be read any more
