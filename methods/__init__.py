"""The methods that come with derainbench, one file each. They register through entry points, as anybody's do."""
