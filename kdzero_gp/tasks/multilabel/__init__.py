"""Multi-label classification: every image has any number of the classes."""
