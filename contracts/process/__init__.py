"""The needs of every process of this machine: settings and key files, children, addresses, its clock and its folder."""
