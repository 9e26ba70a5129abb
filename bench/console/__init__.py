"""What the consoles cost."""
