"""Writes those pages of the documentation that follow from the code: primitives, commands, Python names, results."""
