"""From `nasnet[attention=se]@tag` to a network with weights."""
