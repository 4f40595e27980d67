"""How bytes on the wire become a call and back."""
