"""What was seen, and what it says."""
