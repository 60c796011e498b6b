"""The command line: demo, train, generate, bench."""
