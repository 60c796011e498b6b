"""Weight matrices of any size on arrays of one size, or computed as a whole."""
