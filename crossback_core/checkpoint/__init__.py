"""Networks as files, and as their users see them."""
