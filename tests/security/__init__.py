"""What a file from a stranger must not be able to do."""
