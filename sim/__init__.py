"""The RTL as a compiled library behind the golden array's interface."""
