"""CIFAR-100: a search, then its best beside the methods of the field."""
