"""The cluster's keyring: its file, changes to it while the cluster runs, and peers that do not share it."""
