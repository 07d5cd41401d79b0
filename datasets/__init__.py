"""The dataset cards that come with derainbench, one TOML file each."""
