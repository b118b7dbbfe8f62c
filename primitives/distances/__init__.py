"""Distances: (student, teacher) -> one number per sample, zero where they agree."""
