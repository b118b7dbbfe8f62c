"""Candidates per second by executor and number of workers."""
