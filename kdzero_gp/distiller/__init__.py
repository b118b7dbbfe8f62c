"""From a tree to a loss: compilation, alignment, calibration, export."""
