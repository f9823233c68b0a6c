"""The cluster's keyring: its file, changes to it while the cluster runs, and who does not share it."""
