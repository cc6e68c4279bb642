"""Bodies: one file for each architecture, named like the body, with its class as `BODY`."""
