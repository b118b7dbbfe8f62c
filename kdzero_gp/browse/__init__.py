"""The command that writes and serves galleries."""
