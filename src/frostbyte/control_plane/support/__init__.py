"""What is collected for whoever has to find out why something is not well: nothing of it is content."""
