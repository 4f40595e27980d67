"""Programs for those who work on entrepot; none of them is installed with it."""
