"""Where images are kept: Docker's engine, a folder in OCI's layout, and one in memory for tests."""
