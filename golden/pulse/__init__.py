"""From probability to pulse: tables of lengths, their files, and the pulse coder."""
