"""What the database knows, as truths and predictions that can be compared."""
