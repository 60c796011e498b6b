"""Reports for people: tables, pictures, progress."""
