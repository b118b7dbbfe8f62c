"""Batches of images, from memory or decoded while the training runs."""
