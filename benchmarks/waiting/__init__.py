"""What waiting for many jobs costs: with this package, and with the alternatives."""
