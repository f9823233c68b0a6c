"""Static membership: members are those that discovery lists and that can be reached."""
