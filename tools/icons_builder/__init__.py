"""Builds the embedded data set in data/icons from three published packages."""
