"""Bodies: one file for each architecture, named after what its class is registered as."""
