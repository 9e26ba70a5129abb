"""Where the plane's keys come from."""
