"""How large a difference is: divergences between matrices, and their intervals."""
