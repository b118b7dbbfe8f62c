"""The final distillation of one student."""
