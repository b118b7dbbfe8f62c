"""Executors run evaluations: in this process, in worker processes or on a Ray cluster, by one protocol."""
