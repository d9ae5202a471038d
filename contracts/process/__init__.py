"""What every process of this machine needs: settings and key files, children, addresses, its clock and its folder."""
