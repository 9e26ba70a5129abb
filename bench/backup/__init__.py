"""What backups cost."""
