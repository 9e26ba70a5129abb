"""The edge: what requests from outside meet first, and the files that tell it where each tenant's gateway is."""
