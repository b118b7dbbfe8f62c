"""Several ways to train one student, side by side."""
