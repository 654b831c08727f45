"""What `relay check` says of rules and routes that are allowed, and do not do what they seem to."""
