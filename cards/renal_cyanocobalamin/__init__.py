"""Long-term cyanocobalamin injections in severe kidney disease."""
