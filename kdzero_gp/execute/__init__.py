"""Where evaluations run: one protocol, in this process, in worker processes or on a Ray cluster."""
