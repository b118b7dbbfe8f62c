"""Training loops: one student, batches shared among processes, several students fused, and a loop of one's own."""
