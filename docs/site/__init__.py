"""What the site has beside the pages of docs/: reference pages made from the program, files from elsewhere."""
