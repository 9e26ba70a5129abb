"""The archive of a plane: one file that holds everything of it. `file` is its form, `contents` what is in it."""
