"""Packages and modules that measure: each prints a table and writes `benchmarks/results/NAME.json`."""
