"""What people say of identities: a log, and tables that follow it."""
