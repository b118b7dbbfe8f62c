"""What a candidate's training step costs over its floor."""
