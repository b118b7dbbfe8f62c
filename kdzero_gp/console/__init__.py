"""What a run shows in a terminal and in TensorBoard."""
