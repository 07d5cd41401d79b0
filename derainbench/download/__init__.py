"""Files that others keep: their addresses, how they come here whole or not at all, archives unpacked."""
