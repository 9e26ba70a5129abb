"""What a tenant's hosts are told and given, as pure text: user data, packet filters, compose projects, files."""
