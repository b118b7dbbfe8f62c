"""The default search on the digits, over run seeds."""
