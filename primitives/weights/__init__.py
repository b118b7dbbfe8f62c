"""Sample weightings: (student logits, teacher logits) -> how much each sample counts."""
