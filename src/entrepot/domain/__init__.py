"""What the words mean and what the rules are: pure values, no clock, no input or output."""
