"""Hand-designed distillers by name."""
