"""The documentation: its pages, its examples, and what builds the site from them."""
