"""Selection of a backbone: scores of its candidates, and the choice among them."""
