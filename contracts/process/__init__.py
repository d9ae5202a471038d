"""What every process of this machine needs: children, addresses, outages told, its clock and its folder."""
