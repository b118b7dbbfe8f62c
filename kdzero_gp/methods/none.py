"""The student alone, which is what every method is measured against."""

from kdzero_gp.methods.method import Method

none = Method("none", None, "the student alone, cross-entropy with the labels")
