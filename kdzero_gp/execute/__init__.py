"""Where evaluations run: one protocol, in this process or in worker processes."""
