"""Private endpoints: made through EC2's API, given addresses by operators, listened on by workers."""
