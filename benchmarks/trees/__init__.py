"""What holds of every random tree, and what the screening turns down."""
