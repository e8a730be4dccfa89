"""The demo and `registry up`: a whole stack on a devnet, with owners who live through their policies."""
