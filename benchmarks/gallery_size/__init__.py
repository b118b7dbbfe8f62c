"""The gallery of a long run: its size, and its speed in a browser."""
