"""SWIM with Lifeguard, as hashicorp/memberlist speaks it: the rules of membership, and a failure detector."""
