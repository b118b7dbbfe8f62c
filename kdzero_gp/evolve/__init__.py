"""The genetic-programming loop: it sees evaluation as jobs behind an executor."""
