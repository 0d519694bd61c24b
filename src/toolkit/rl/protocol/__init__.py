"""How methods are compared over seeds, environments and budgets."""
