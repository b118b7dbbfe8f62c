"""The language of distillers: types, operations, trees, their text form and their variation."""
